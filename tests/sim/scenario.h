/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Who is on the simulated machine, and what must be true of it. */

#include "world.h"

struct cast {
	const struct behaviour *behaviour;
	uint32_t domains;               /* so many ... */
	uint32_t vcpus;                 /* ... with so many vCPUs each */
	bool pinned;                    /* each vCPU to one CPU, in turn */
	int priority;                   /* FIFO by its owner\'s will, not ours; 0: fair */
	const struct behaviour *helper; /* of a thread that works for each domain, beside the first
	                                   vCPU; NULL: none */
};

#define SCENARIO_CASTS_MAX 8

/* What asking must have gained: bits of scenario::gain. Whoever gains anything waits no longer. */
#define GAIN_SAME  (1U << 2) /* nothing */
#define GAIN_TIME  (1U << 0) /* a fifth of the elevated time */
#define GAIN_DELAY (1U << 1) /* half of the waits of urgent work */

struct scenario {
	const char *name;
	uint32_t n_cpus;
	uint32_t spinners_per_cpu; /* host load, each in a group like a domain's */
	bool foreign_rt;           /* a FIFO thread on each CPU that is not a vCPU's */
	bool holds;                /* domains are paused and resumed at random */
	bool polls;                /* the tracer cannot read the guests' pages: the booster must */
	uint32_t gain;             /* of asking, against the same host that does not hear it */
	int served_permille; /* the first cast's wake-ups that must run elevated at once; 0: any */
	struct cast casts[SCENARIO_CASTS_MAX];
};

extern const struct scenario scenarios[];
extern const size_t n_scenarios;

/** By its name; NULL: there is none. */
const struct scenario *scenario_find(const char *name);

/**
 * Fills the machine; returns the number of vCPUs, which are its first threads.
 * @vcpus  0, or how many there shall be at most
 */
unsigned int scenario_populate(const struct scenario *scenario, struct world *world,
                               uint32_t vcpus);
