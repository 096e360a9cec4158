/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* A machine of which no record is kept, so that it is judged while it runs. */

#include "meter.h"
#include "sim.h"

#define LARGE_DELAY_NS (15 * NSEC_PER_USEC) /* the booster's delay: tests/bench/run request */
#define LARGE_APPLY_NS 1900                 /* per request in its queue: the same */

struct large {
	struct world world;
	struct host *host;
	struct meters *meters;
	struct delays waits; /* of vCPUs that may be boosted, when they wake */
	uint64_t warm_ns;    /* waits before this time are not counted */
	uint64_t events;
};

/** An empty machine; threads are then added to its world, vCPUs first. */
void large_init(struct large *large, uint32_t n_cpus, uint64_t seed);
void large_fini(struct large *large);

/** Makes the host and starts. @domains: at most so many. */
void large_start(struct large *large, uint32_t n_vcpus, uint32_t domains,
                 const struct host_options *options, uint64_t warm_ns);

/** Runs on for that time. */
void large_play(struct large *large, uint64_t for_ns);

/** Unboosts everything and ends, SIM_SETTLE_NS later. */
void large_end(struct large *large);
