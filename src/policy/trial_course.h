/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The course of a trial: which window comes next, what was measured in it, and whether the trial
 * ends before its time. Pure; memory has a fixed size, about 250 KiB.
 */

#include "policy/trial_plan.h"
#include "policy/trial_verdict.h"
#include "util/base.h"

enum trial_end {
	TRIAL_RUNS,
	TRIAL_END_TIME,       /* it is over */
	TRIAL_END_CLEAR,      /* the answer is clear */
	TRIAL_END_NEIGHBOURS, /* they lose too much */
	TRIAL_END_HELD,       /* nothing may be boosted: by a hold of the host, or of each vCPU */
	TRIAL_END_STOPPED,    /* by command */
	TRIAL_END_POLICY,     /* a command changed the policy of its domain meanwhile */
	TRIAL_END_GONE,       /* its domain ended */
	TRIAL_END_PROFILE,    /* its profile is another one in the configuration, or none */
	_TRIAL_END_MAX,
};

struct trial_course {
	enum trial_end end;
	uint64_t seed;
	uint64_t begun_ns, all_ns;
	uint32_t dropped; /* blocks that could not be measured */
	struct trial_step step;
	struct trial_verdict verdict; /* once it has ended; until then trial_course_estimate() */
	/* private */
	uint32_t judged; /* windows of which @verdict tells */
	struct trial_plan plan;
	struct trial_looks looks;
	struct trial_window block[2];
	bool first_measured;
	struct trial_series series;
	struct trial_draws draws;
};

/** A trial for @all_ns, of windows of @min_ns to @max_ns. */
void trial_course_begin(struct trial_course *course, uint64_t seed, uint64_t min_ns,
                        uint64_t max_ns, uint64_t all_ns, uint64_t now_ns);

/** Begins the next window, which is course->step. Returns false if the trial has ended. */
bool trial_course_next(struct trial_course *course, uint64_t now_ns);

/**
 * The window is over; @window is what was measured in it, NULL: it could not be measured, and its
 * block does not count. It may end the trial.
 */
void trial_course_measured(struct trial_course *course, const struct trial_window *window,
                           uint64_t now_ns);

/** Ends it, if it runs. A block that is not complete does not count. */
void trial_course_stop(struct trial_course *course, enum trial_end end, uint64_t now_ns);

/** Of a trial that runs: makes course->verdict what would follow from what is known so far. */
void trial_course_estimate(struct trial_course *course);

/** "running", "time", "clear", ... */
const char *trial_end_name(enum trial_end end);

/** A sentence for people. */
const char *trial_end_text(enum trial_end end);
