/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The canary: one SCHED_OTHER thread for the whole host, which sleeps until it is asked to run on a
 * CPU. What it means if it does not run is in policy/canary.h. It is moved from CPU to CPU, since
 * it is needed only where boosted time is consumed, a few times a second, for microseconds: a
 * thread for each CPU would cost 512 stacks on a host of 512 CPUs. Two CPUs that starve are found
 * one after the other.
 */

#include "util/base.h"

struct canary;

/** Starts the canary. Returns 0 and *ret, or -errno. All else works without it. */
int canary_start(struct canary **ret);

/** Ends the canary, without waiting if it gets no CPU. Takes NULL; returns NULL. */
struct canary *canary_stop(struct canary *canary);

/** What came of it so far. For the booster thread alone. */
struct canary_totals {
	bool running;         /* false: there is no canary */
	uint64_t asked;       /* how often it was asked to run */
	uint64_t answered;    /* of that, how often it was seen to have run by the next time */
	uint64_t starved;     /* how often it did not come to run, and vCPUs were why */
	uint64_t unmovable;   /* how often it could not be moved to the CPU it was wanted on */
	int unmovable_error;  /* the last of these: -errno; 0: none */
	uint64_t wait_max_ns; /* the longest that it waited to run */
};

/**
 * Boosted time was consumed on @cpu, @elevated_ns in all so far: asks the canary to run there,
 * unless it has been asked already and has not run. Allocates nothing, waits for nothing. Returns
 * true if ordinary threads do not get to run there because of boosted vCPUs. @canary may be NULL:
 * false.
 */
bool canary_check(struct canary *canary, unsigned int cpu, uint64_t elevated_ns, uint64_t now_ns);

void canary_read(const struct canary *canary, struct canary_totals *ret);
