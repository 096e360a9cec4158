/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The canary's thread: SCHED_OTHER, one for the whole host, asleep unless it is asked to run on
 * some CPU. What its silence means is policy/canary.h's. One that is moved, not one for each CPU:
 * it is needed where elevated time is consumed, some times a second at most, runs for microseconds,
 * and costs a host of 512 CPUs no 512 stacks; two CPUs that starve are found one after the other.
 */

#include "util/base.h"

struct canary;

/** Starts it. Returns 0 and *ret, or -errno: then nothing is watched, and all else goes on. */
int canary_start(struct canary **ret);

/** Ends it. One that gets no CPU is not waited for. Takes NULL; returns NULL. */
struct canary *canary_stop(struct canary *canary);

/** What came of it so far; read by the booster's thread, which alone asks. */
struct canary_totals {
	bool running;         /* false: nothing is watched */
	uint64_t asked;       /* how often it was asked to run */
	uint64_t answered;    /* of that, how often it was seen to have run by the next time */
	uint64_t starved;     /* how often it did not come to run, and vCPUs were why */
	uint64_t unmovable;   /* how often it could not be moved to the CPU it was wanted on */
	int unmovable_error;  /* the last of these: -errno; 0: none */
	uint64_t wait_max_ns; /* the longest that it waited to run */
};

/**
 * Elevated time was consumed on @cpu, for which that was charged @elevated_ns in all: asks it to
 * run there if nothing stands out. Allocates nothing, waits for nothing. Returns true when ordinary
 * threads do not get to run there, and vCPUs are why. Takes NULL, which sees nothing.
 */
bool canary_check(struct canary *canary, unsigned int cpu, uint64_t elevated_ns, uint64_t now_ns);

void canary_read(const struct canary *canary, struct canary_totals *ret);
