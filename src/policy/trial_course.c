// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/trial_course.h"

void trial_course_begin(struct trial_course *course, uint64_t seed, uint64_t min_ns,
                        uint64_t max_ns, uint64_t all_ns, uint64_t now_ns)
{
	*course = (struct trial_course){.seed = seed, .begun_ns = now_ns, .all_ns = all_ns};
	trial_plan_init(&course->plan, seed, min_ns, max_ns);
}

static void judge(struct trial_course *course, double alpha)
{
	trial_judge(&course->series, alpha, course->seed, &course->draws, &course->verdict);
	course->judged = course->series.n;
}

void trial_course_estimate(struct trial_course *course)
{
	if (course->end == TRIAL_RUNS && course->judged != course->series.n)
		judge(course, TRIAL_ERROR);
}

void trial_course_stop(struct trial_course *course, enum trial_end end, uint64_t now_ns)
{
	double alpha;

	if (course->end != TRIAL_RUNS)
		return;
	course->end = end;
	alpha = trial_looks_take(&course->looks, now_ns - course->begun_ns, course->all_ns, true);
	if (alpha > 0) /* else the last look was at all there is */
		judge(course, alpha);
}

bool trial_course_next(struct trial_course *course, uint64_t now_ns)
{
	uint64_t over_ns = now_ns - course->begun_ns;
	uint64_t left_ns = over_ns < course->all_ns ? course->all_ns - over_ns : 0;

	if (course->end != TRIAL_RUNS)
		return false;
	if (trial_plan_next(&course->plan, left_ns, &course->step))
		return true;
	trial_course_stop(course, TRIAL_END_TIME, now_ns);
	return false;
}

/*
 * Whether that may end the trial. Windows without a gain tell nothing of load that is still to
 * come, however much alike they are, and a trial that goes on costs its neighbours little.
 */
static bool is_clear(const struct trial_verdict *verdict, uint64_t over_ns, uint64_t all_ns)
{
	if (verdict->gain == TRIAL_SAME && verdict->price != TRIAL_PRICE_HIGH)
		return over_ns >= all_ns / 2;
	return verdict->advice != TRIAL_CANNOT_TELL;
}

/* What is known may end the trial. */
static void look(struct trial_course *course, uint64_t now_ns)
{
	uint64_t over_ns = now_ns - course->begun_ns;
	double alpha = trial_looks_take(&course->looks, over_ns, course->all_ns, false);

	if (alpha <= 0)
		return;
	judge(course, alpha);
	if (is_clear(&course->verdict, over_ns, course->all_ns))
		course->end = course->verdict.price == TRIAL_PRICE_HIGH ? TRIAL_END_NEIGHBOURS
		                                                        : TRIAL_END_CLEAR;
}

void trial_course_measured(struct trial_course *course, const struct trial_window *window,
                           uint64_t now_ns)
{
	bool first = course->step.first;

	if (course->end != TRIAL_RUNS)
		return;
	if (window)
		course->block[!first] = *window;
	if (first) {
		course->first_measured = window;
		return;
	}
	if (!window || !course->first_measured) {
		course->dropped++;
		return;
	}
	trial_series_add(&course->series, course->block);
	look(course, now_ns);
}
