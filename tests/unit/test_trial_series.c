// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What trials conclude, in virtual time: of a thousand generated series of each kind at most one in
 * twenty is judged wrongly. Links src/policy alone.
 *
 * TRIAL_SEED in the environment: of the series. The thresholds were set with seeds from 1000 on;
 * the test has another one.
 */
#include <math.h>

#include "policy/trial_course.h"

#include "test.h"

#define S        NSEC_PER_SEC
#define SEED     UINT64_C(415000000)
#define WRONG_IN 20
#define SERIES   (TEST_SANITIZED ? 100U : 1000U)

static struct trial_course course;

static double uniform(uint64_t *random)
{
	return ((double)(trial_random(random) >> 11) + 0.5) / 9007199254740992.0;
}

static double between(uint64_t *random, double low, double high)
{
	return low + (high - low) * uniform(random);
}

static double normal(uint64_t *random)
{
	return sqrt(-2 * log(uniform(random))) * cos(2 * M_PI * uniform(random));
}

/* What a domain and its neighbours are like, drawn anew for each series. */
struct scene {
	double rate;            /* waits per second */
	double late[2];         /* the part of waits behind others, without and with boosts */
	double long_us[2];      /* how long these are, in the mean */
	double short_us;        /* the others */
	double preempted[2];    /* short waits besides, for each of these */
	double load_noise;      /* of the logarithm of the load, from window to window */
	double load;            /* follows that, slowly */
	double change;          /* the load is multiplied by this... */
	uint64_t change_ns;     /* ...from then on */
	double lost;            /* by all neighbours, as a part */
	double served;          /* what they get without boosts, as a part */
	double neighbour_noise; /* of that */
};

static struct scene scene_busy(uint64_t *random)
{
	return (struct scene){
	        .rate = exp(between(random, log(100), log(4000))),
	        .late = {between(random, 0.1, 0.7), 0},
	        .long_us = {exp(between(random, log(500), log(8000))), 0},
	        .short_us = between(random, 4, 30),
	        .preempted = {between(random, 0, 3), 0},
	        .load_noise = between(random, 0.05, 0.6),
	        .change = 1,
	        .served = between(random, 0.3, 0.9),
	        .neighbour_noise = between(random, 0.002, 0.03),
	};
}

static void add_gain(struct scene *scene, uint64_t *random)
{
	scene->late[1] = scene->late[0] * between(random, 0.001, 0.04);
	scene->preempted[1] = 0;
	scene->long_us[1] = scene->long_us[0] * between(random, 0.1, 1);
}

static void add_none(struct scene *scene)
{
	scene->late[1] = scene->late[0];
	scene->preempted[1] = scene->preempted[0];
	scene->long_us[1] = scene->long_us[0];
}

/* How many of what comes so often in the mean. */
static uint32_t poisson(double mean, uint64_t *random)
{
	double product = uniform(random), least = exp(-mean);
	uint32_t n = 0;

	if (mean > 30)
		return (uint32_t)fmax(mean + sqrt(mean) * normal(random) + 0.5, 0);
	for (; product > least; n++)
		product *= uniform(random);
	return n;
}

/* The part of waits that are shorter than this. */
static double shorter_than(const struct scene *scene, bool on, double us)
{
	double load = exp(scene->load), late = fmin(scene->late[on] * load, 0.95);
	double beyond_us = fmax(us - scene->short_us, 0);

	return late * (1 - exp(-beyond_us / (scene->long_us[on] * load))) +
	       (1 - late) * (1 - exp(-us / scene->short_us));
}

static void scene_waits(const struct scene *scene, bool on, double n, uint64_t *random,
                        struct trial_window *window)
{
	double before = 0;

	for (uint32_t i = 0; i < PVS_WAIT_BUCKETS; i++) {
		double so_far = shorter_than(scene, on, (double)pvs_wait_bucket_limit_us(i));

		window->waits[i] = poisson(n * fmax(so_far - before, 0), random);
		before = so_far;
	}
}

/* A boosted vCPU is not preempted for a moment by whatever wakes beside it; others are. */
static void scene_preempt(const struct scene *scene, double n, uint64_t *random,
                          struct trial_window *window)
{
	double before = 0;

	for (uint32_t i = 0; i < PVS_WAIT_BUCKETS; i++) {
		double limit_us = (double)pvs_wait_bucket_limit_us(i);
		double so_far = 1 - exp(-limit_us / scene->short_us);

		window->waits[i] += poisson(n * (so_far - before), random);
		before = so_far;
	}
}

static void scene_window(struct scene *scene, const struct trial_step *step, uint64_t *random,
                         uint64_t at_ns, struct trial_window *ret)
{
	uint64_t length_ns = step->length_ns - step->drop_ns;
	double load = scene->load, n = scene->rate * (double)length_ns / (double)S;

	*ret = (struct trial_window){.on = step->on, .length_ns = length_ns};
	scene->load = 0.7 * load + scene->load_noise * normal(random);
	load = scene->load;
	if (scene->change != 1 && at_ns >= scene->change_ns)
		scene->load += log(scene->change);
	scene_waits(scene, step->on, n, random, ret);
	scene_preempt(scene, n * scene->preempted[step->on], random, ret);
	scene->load = load;
	for (unsigned int i = 0; i < _TRIAL_NEIGHBOUR_MAX; i++) {
		double served = scene->served * (1 + scene->neighbour_noise * normal(random));

		served *= step->on ? 1 - scene->lost : 1;
		ret->served_ppm[i] = (uint32_t)(fmin(fmax(served, 0.01), 1) * TRIAL_PPM);
	}
}

/* A trial of ten minutes in virtual time. */
static enum trial_advice run(struct scene *scene, uint64_t seed)
{
	struct trial_window window;
	uint64_t now_ns = S, random = seed;

	trial_course_begin(&course, seed + 1, 5 * S, 20 * S, 600 * S, now_ns);
	while (trial_course_next(&course, now_ns)) {
		scene_window(scene, &course.step, &random, now_ns, &window);
		now_ns += course.step.length_ns;
		CHECK_LE(now_ns, 601 * S);
		trial_course_measured(&course, &window, now_ns);
	}
	return course.verdict.advice;
}

#define BIT(advice) (1U << (advice))

struct count {
	unsigned int advice[_TRIAL_ADVICE_MAX];
	unsigned int wrong;
	double blocks;
};

static uint64_t series_seed(unsigned int kind, unsigned int i)
{
	const char *text = getenv("TRIAL_SEED");
	uint64_t seed = (text ? strtoull(text, NULL, 10) : SEED) * 16 + kind;

	seed = trial_random(&seed);
	return seed + i;
}

/* @right: the advices that are not wrong. */
static void count_one(struct count *count, struct scene *scene, uint64_t seed, unsigned int right)
{
	enum trial_advice advice = run(scene, seed);

	count->advice[advice]++;
	count->wrong += !(right & BIT(advice));
	count->blocks += course.verdict.blocks;
}

static void check_count(const char *name, const struct count *count)
{
	printf("%s: %u wrong of %u; recommend %u, not worth it %u, price too high %u, cannot tell "
	       "%u; %.1f blocks\n",
	       name, count->wrong, SERIES, count->advice[TRIAL_RECOMMEND],
	       count->advice[TRIAL_NOT_WORTH_IT], count->advice[TRIAL_PRICE_TOO_HIGH],
	       count->advice[TRIAL_CANNOT_TELL], count->blocks / SERIES);
	CHECK_LE(count->wrong * WRONG_IN, SERIES);
}

/* It waits behind others, boosts end that, and others hardly lose. */
static void test_latency_bound(void)
{
	struct count count = {0};

	for (unsigned int i = 0; i < SERIES; i++) {
		uint64_t seed = series_seed(1, i), random = seed ^ 1;
		struct scene scene = scene_busy(&random);

		add_gain(&scene, &random);
		scene.lost = between(&random, 0, 0.02);
		count_one(&count, &scene, seed, BIT(TRIAL_RECOMMEND));
	}
	check_count("latency-bound", &count);
}

/* The same, but others lose far more than they may. */
static void test_price(void)
{
	struct count count = {0};

	for (unsigned int i = 0; i < SERIES; i++) {
		uint64_t seed = series_seed(2, i), random = seed ^ 1;
		struct scene scene = scene_busy(&random);

		add_gain(&scene, &random);
		scene.lost = between(&random, 0.1, 0.4);
		count_one(&count, &scene, seed, BIT(TRIAL_PRICE_TOO_HIGH));
	}
	check_count("latency-bound with a price", &count);
}

static void test_idle(void)
{
	struct count count = {0};

	for (unsigned int i = 0; i < SERIES; i++) {
		uint64_t seed = series_seed(3, i), random = seed ^ 1;
		struct scene scene = scene_busy(&random);

		scene.late[0] = between(&random, 0, 0.004);
		scene.long_us[0] = between(&random, 10, 300);
		scene.served = between(&random, 0.95, 1);
		scene.load_noise = between(&random, 0, 0.1);
		add_gain(&scene, &random);
		scene.lost = between(&random, 0, 0.005);
		count_one(&count, &scene, seed, BIT(TRIAL_NOT_WORTH_IT));
	}
	check_count("idle host", &count);
}

/* It never sleeps, so it waits as long; others lose what it takes. */
static void test_hog(void)
{
	struct count count = {0};

	for (unsigned int i = 0; i < SERIES; i++) {
		uint64_t seed = series_seed(4, i), random = seed ^ 1;
		struct scene scene = scene_busy(&random);

		scene.rate = between(&random, 50, 400);
		scene.late[0] = between(&random, 0.8, 0.95);
		add_none(&scene);
		scene.long_us[1] *= between(&random, 0.95, 1.05);
		scene.lost = between(&random, 0.08, 0.3);
		count_one(&count, &scene, seed, BIT(TRIAL_NOT_WORTH_IT));
		CHECK(course.verdict.price != TRIAL_PRICE_LOW);
		CHECK(course.verdict.measured[course.verdict.worst]);
	}
	check_count("hog", &count);
}

/* Nothing differs: whatever else is said, no gain and no loss is. */
static void test_no_difference(void)
{
	unsigned int right = BIT(TRIAL_NOT_WORTH_IT) | BIT(TRIAL_CANNOT_TELL);
	unsigned int seen = 0, priced = 0;
	struct count count = {0};

	for (unsigned int i = 0; i < SERIES; i++) {
		uint64_t seed = series_seed(5, i), random = seed ^ 1;
		struct scene scene = scene_busy(&random);

		add_none(&scene);
		count_one(&count, &scene, seed, right);
		seen += course.verdict.gain == TRIAL_BETTER || course.verdict.gain == TRIAL_WORSE;
		priced += course.verdict.price == TRIAL_PRICE_HIGH;
	}
	printf("no difference: %u times a gain or a loss of its own, %u times a price\n", seen,
	       priced);
	check_count("no difference", &count);
	CHECK_LE(seen * WRONG_IN, SERIES);
	CHECK_LE(priced * WRONG_IN, SERIES);
}

/* The load comes or goes in mid-trial, with a gain in every other series. */
static void test_load_changes(void)
{
	struct count count = {0};

	for (unsigned int i = 0; i < SERIES; i++) {
		uint64_t seed = series_seed(6, i), random = seed ^ 1;
		struct scene scene = scene_busy(&random);
		double change = exp(between(&random, log(5), log(50)));
		unsigned int right = BIT(TRIAL_CANNOT_TELL);

		scene.change = uniform(&random) < 0.5 ? change : 1 / change;
		scene.change_ns = (uint64_t)(between(&random, 20, 580) * S);
		if (i % 2) {
			add_gain(&scene, &random);
			scene.lost = between(&random, 0, 0.02);
			right |= BIT(TRIAL_RECOMMEND);
		} else {
			add_none(&scene);
			right |= BIT(TRIAL_NOT_WORTH_IT);
		}
		count_one(&count, &scene, seed, right);
	}
	check_count("load that changes", &count);
}

TEST_MAIN(TEST(test_latency_bound), TEST(test_price), TEST(test_idle), TEST(test_hog),
          TEST(test_no_difference), TEST(test_load_changes))
