// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Trials: the plan of windows, the test of means, and the ends of a trial. What a trial concludes
 * is test_trial_series.c's. Links src/policy alone.
 */
#include <math.h>

#include "policy/student.h"
#include "policy/trial_course.h"

#include "test.h"

#define S NSEC_PER_SEC

static struct trial_course course;

/* ---- plan ---- */

/* Every block has one window of each kind; lengths are within bounds; all of it fits. */
static void test_plan(void)
{
	for (uint64_t seed = 0; seed < 200; seed++) {
		uint64_t left_ns = 600 * S, shortest_ns = UINT64_MAX, longest_ns = 0;
		struct trial_step step, before = {0};
		struct trial_plan plan;
		unsigned int on_first = 0, n = 0;

		trial_plan_init(&plan, seed, 5 * S, 20 * S);
		while (trial_plan_next(&plan, left_ns, &step)) {
			CHECK_LE(step.length_ns, left_ns);
			left_ns -= step.length_ns;
			CHECK_INT(step.first, n % 2 == 0);
			CHECK(step.first || step.on != before.on);
			CHECK_GE(step.length_ns, 5 * S);
			CHECK_LE(step.length_ns, 20 * S);
			CHECK_U64(step.drop_ns, S);
			shortest_ns = MIN(shortest_ns, step.length_ns);
			longest_ns = MAX(longest_ns, step.length_ns);
			on_first += step.first && step.on;
			before = step;
			n++;
		}
		CHECK_INT(n % 2, 0);
		CHECK_LE(left_ns, 10 * S);
		CHECK(on_first > 0 && on_first < n / 2);
		CHECK(longest_ns - shortest_ns > 5 * S);
	}
}

/* Windows of one length; short ones drop a fifth; and no more windows than there is room for. */
static void test_plan_bounds(void)
{
	struct trial_plan plan;
	struct trial_step step;
	unsigned int n = 0;

	trial_plan_init(&plan, 1, S, S);
	CHECK(!trial_plan_next(&plan, 2 * S - 1, &step));
	CHECK(trial_plan_next(&plan, 2 * S, &step));
	CHECK_U64(step.length_ns, S);
	CHECK_U64(step.drop_ns, S / 5);
	for (n = 1; trial_plan_next(&plan, UINT64_MAX / 4, &step); n++)
		CHECK_U64(step.length_ns, S);
	CHECK_INT(n, TRIAL_WINDOWS_MAX);
	CHECK_U64(trial_plan_least_ns(5 * S, 20 * S, 4), 100 * S);
}

/* What is spent over all looks is the chance that a trial may be wrong, and most of it at the end.
 */
static void test_looks(void)
{
	struct trial_looks looks = {0};
	double sum = 0, alpha = 0, before;

	CHECK(trial_looks_take(&looks, 5 * S, 80 * S, false) == 0);
	for (uint64_t over = 10; over <= 80; over += 5) {
		before = alpha;
		alpha = trial_looks_take(&looks, over * S, 80 * S, false);
		CHECK((alpha > 0) == (over % 10 == 0));
		sum += alpha;
	}
	CHECK(fabs(sum - TRIAL_ERROR) < 1e-9 && before == 0 && alpha > TRIAL_ERROR / 4);
	looks = (struct trial_looks){0};
	CHECK(fabs(trial_looks_take(&looks, 10 * S, 80 * S, true) - TRIAL_ERROR) < 1e-9);
}

/* ---- Student ---- */

static struct student_sums sums_of(double mean, double deviation, uint32_t n)
{
	struct student_sums sums = {0};

	for (uint32_t i = 0; i < n; i++)
		student_add(&sums, mean + (i % 2 ? deviation : -deviation));
	return sums;
}

/* @t: of so many values. */
static double chance_of(double t, uint32_t n)
{
	struct student_sums sums = sums_of(0, 1, n);
	double rest = sums.squares / (n - 1) / n;

	sums.sum = t * sqrt(rest) * n;
	sums.squares += sums.sum * sums.sum / n;
	return student_above(&sums);
}

/* Against a table. */
static void test_student(void)
{
	static const struct {
		double t;
		uint32_t n;
		double chance;
	} table[] = {
	        {0, 10, 0.5},       {2.920, 3, 0.05},   {4.303, 3, 0.025}, {1.833, 10, 0.05},
	        {2.262, 10, 0.025}, {3.250, 10, 0.005}, {1.699, 30, 0.05}, {2.756, 30, 0.005},
	        {1.653, 200, 0.05}, {-1.833, 10, 0.95}, {10.21, 4, 0.001},
	};
	struct student_sums sums;

	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		CHECK(fabs(chance_of(table[i].t, table[i].n) - table[i].chance) <
		      table[i].chance * 0.02);
	sums = sums_of(3, 1, 10);
	CHECK(fabs(student_margin(&sums) - 2.262 / sqrt(9)) < 0.001);
	sums = sums_of(1, 0, 5);
	CHECK(student_above(&sums) == 0 && student_margin(&sums) == 0);
	sums = sums_of(-1, 0, 5);
	CHECK(student_above(&sums) == 1);
	sums = sums_of(9, 1, 2);
	CHECK(student_above(&sums) == 1 && student_margin(&sums) == 0);
	for (double x = 1e-12; x < 1e12; x *= 7)
		CHECK(fabs(student_root(x) - sqrt(x)) < 1e-9 * sqrt(x));
	CHECK(student_root(0) == 0 && student_root(-1) == 0);
}

/* ---- what else a course meets ---- */

static struct trial_window plain_window(bool on, uint32_t wait_us, uint32_t served_ppm)
{
	struct trial_window window = {.on = on, .length_ns = 4 * S, .boosted_ns = on ? S : 0};

	window.waits[pvs_wait_bucket(wait_us * NSEC_PER_USEC)] = 1000;
	for (unsigned int i = 0; i < _TRIAL_NEIGHBOUR_MAX; i++)
		window.served_ppm[i] = served_ppm;
	return window;
}

/* Returns how long it took. */
static uint64_t course_run(unsigned int windows, uint32_t on_us, uint32_t on_ppm)
{
	struct trial_window window;
	uint64_t now_ns = S;

	trial_course_begin(&course, 5, 5 * S, 20 * S, 600 * S, now_ns);
	for (unsigned int i = 0; i < windows && trial_course_next(&course, now_ns); i++) {
		bool on = course.step.on;

		window = plain_window(on, on ? on_us : 5000, on ? on_ppm : 900000);
		now_ns += course.step.length_ns;
		trial_course_measured(&course, &window, now_ns);
	}
	trial_course_stop(&course, TRIAL_END_STOPPED, now_ns);
	return now_ns - S;
}

/* It ends early where the answer is clear or others lose too much, and says so. */
static void test_ends(void)
{
	const struct trial_verdict *verdict = &course.verdict;

	course_run(1000, 100, 890000);
	CHECK_INT(course.end, TRIAL_END_CLEAR);
	CHECK_INT(verdict->advice, TRIAL_RECOMMEND);
	CHECK(verdict->blocks < 12);
	CHECK_INT(verdict->boosted_permille, 250);
	CHECK(verdict->ratio.value < 0.03 && verdict->ratio.low <= verdict->ratio.value);
	CHECK(fabs(verdict->lost_ppm[TRIAL_CPUS].value - 11111) < 1);
	course_run(1000, 100, 500000);
	CHECK_INT(course.end, TRIAL_END_NEIGHBOURS);
	CHECK_INT(verdict->advice, TRIAL_PRICE_TOO_HIGH);
	course_run(1000, 5000, 500000);
	CHECK_INT(verdict->advice, TRIAL_NOT_WORTH_IT);
	CHECK_INT(verdict->price, TRIAL_PRICE_HIGH);
	CHECK(course_run(1000, 5000, 890000) >= 300 * S); /* load may still come */
	CHECK_INT(course.end, TRIAL_END_CLEAR);
	CHECK_INT(verdict->advice, TRIAL_NOT_WORTH_IT);
	CHECK_INT(verdict->gain, TRIAL_SAME);
	course_run(4, 100, 890000);
	CHECK_INT(course.end, TRIAL_END_STOPPED);
	CHECK_INT(verdict->advice, TRIAL_CANNOT_TELL);
	CHECK_CONTAINS(trial_verdict_text(verdict), "Too few windows");
	course_run(0, 100, 890000);
	CHECK_INT(verdict->blocks, 0);
	CHECK_INT(verdict->advice, TRIAL_CANNOT_TELL);
}

/* The last block ends with the time: what that look has seen is what the trial says. */
static void test_last_look(void)
{
	struct trial_window window;
	uint64_t now_ns = 0;

	trial_course_begin(&course, 5, S, S, 8 * S, now_ns);
	while (trial_course_next(&course, now_ns)) {
		window = plain_window(course.step.on, course.step.on ? 100 : 5000, 900000);
		window.served_ppm[TRIAL_THREADS] = now_ns % (2 * S) ? 600000 : 900000;
		now_ns += S;
		trial_course_measured(&course, &window, now_ns);
	}
	CHECK_INT(course.end, TRIAL_END_TIME);
	CHECK_INT(course.verdict.gain, TRIAL_BETTER);
	CHECK_INT(course.verdict.advice, TRIAL_CANNOT_TELL);
	CHECK_CONTAINS(trial_verdict_text(&course.verdict), "whether others lose too much");
}

/* A block of which one window could not be measured does not count. */
static void test_dropped(void)
{
	struct trial_window window;
	uint64_t now_ns = S;

	trial_course_begin(&course, 5, 5 * S, 20 * S, 600 * S, now_ns);
	for (unsigned int i = 0; i < 8; i++) {
		CHECK(trial_course_next(&course, now_ns));
		window = plain_window(course.step.on, 100, 900000);
		now_ns += course.step.length_ns;
		trial_course_measured(&course, i == 2 || i == 5 ? NULL : &window, now_ns);
	}
	CHECK_INT(course.dropped, 2);
	CHECK_INT(course.verdict.blocks, 2);
}

static void judge_block(const struct trial_window block[2])
{
	course.series.n = 0;
	trial_series_add(&course.series, block);
	trial_judge(&course.series, TRIAL_ERROR, 1, &course.draws, &course.verdict);
}

/* Within a bucket waits are spread evenly; no wait is 0. */
static void test_percentiles(void)
{
	struct trial_window block[2] = {{.length_ns = 4 * S}, {.on = true, .length_ns = 4 * S}};
	const struct trial_verdict *verdict = &course.verdict;

	judge_block(block);
	CHECK(verdict->wait_us[0][TRIAL_P99].value == 0);
	for (int on = 0; on < 2; on++) {
		block[on].waits[pvs_wait_bucket(10 * NSEC_PER_USEC)] = 500;   /* 10 to 12 us */
		block[on].waits[pvs_wait_bucket(1100 * NSEC_PER_USEC)] = 500; /* 1024 to 1280 us */
	}
	judge_block(block);
	for (int on = 0; on < 2; on++) {
		CHECK(verdict->wait_us[on][TRIAL_P50].value == 12);
		CHECK(fabs(verdict->wait_us[on][TRIAL_P99].value - (1024 + 256 * 0.98)) < 0.01);
	}
}

/* Many short waits of the window that does not boost make no long wait a rare one. */
static void test_preemptions(void)
{
	struct trial_window block[2] = {{.length_ns = 4 * S}, {.on = true, .length_ns = 8 * S}};
	const struct trial_verdict *verdict = &course.verdict;
	uint32_t longer = pvs_wait_bucket(1100 * NSEC_PER_USEC);

	block[0].waits[longer] = 20;
	block[1].waits[longer] = 40;
	block[0].waits[3] = 480;
	block[1].waits[3] = 960;
	judge_block(block);
	CHECK(verdict->wait_us[0][TRIAL_P99].value > 1024);
	CHECK(verdict->ratio.value == 1);
	block[0].waits[3] = 90000;
	judge_block(block);
	CHECK(verdict->wait_us[0][TRIAL_P99].value > 1024);
	CHECK(verdict->ratio.value == 1);
}

TEST_MAIN(TEST(test_plan), TEST(test_plan_bounds), TEST(test_looks), TEST(test_student),
          TEST(test_percentiles), TEST(test_preemptions), TEST(test_ends), TEST(test_last_look),
          TEST(test_dropped))
