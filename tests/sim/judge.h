/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Tells whether a run of a scenario kept its promises. */

#include "meter.h"
#include "sim.h"

#define SIM_SHARE_PERMILLE     200
#define SIM_BURST_NS           (500 * NSEC_PER_USEC)
#define SIM_CPU_SHARE_PERMILLE 300
#define SIM_CPU_BURST_NS       (3 * NSEC_PER_MSEC)
#define SIM_DOMAIN_BURST_NS    (2 * NSEC_PER_MSEC)
#define SIM_SETTLE_NS          (5 * NSEC_PER_MSEC) /* after the end: all is unboosted */

/** All that the machine did, and the judgement made meanwhile. */
struct record {
	struct run_interval *runs;
	size_t n_runs, capacity;
	struct meters *meters;
};

/** The boosted run. Fills *ret in. */
void judge(const struct scenario *scenario, const struct sim_options *options,
           const struct host *host, const struct world *world, const struct record *record,
           struct sim_result *ret);

/** How urgent work fared in one run. */
void judge_urgent(const struct world *world, const struct record *record, struct sim_urgent *ret);
