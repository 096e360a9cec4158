/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The threads on the simulated machine, and what must be true of them. */

#include "world.h"

struct cast {
	const struct behaviour *behaviour;
	uint32_t domains; /* so many ... */
	uint32_t vcpus;   /* ... with so many vCPUs each */
	bool pinned;      /* each vCPU to one CPU, in turn */
	int priority;     /* FIFO by its owner\'s will, not ours; 0: fair */
	const struct behaviour
	        *helper; /* a helper for each domain, beside its first vCPU; NULL: none */
};

#define SCENARIO_CASTS_MAX 8

/*
 * What requests must have gained: bits of scenario::gain. With any gain, waits are no longer than
 * before.
 */
#define GAIN_SAME (1U << 2) /* nothing */
#define GAIN_TIME (1U << 0) /* a fifth of the boosted time */
#define GAIN_HINTS                                                                                 \
	(1U << 3) /* half of the boosted time; 99 of 100 waits at most 1.1 times as long */
#define GAIN_DELAY (1U << 1) /* half of the waits of urgent work */

/* Helpers follow their vCPUs: follow.h. No woken fair thread preempts another in its slice. */
#define FOLLOWS        1U
#define FOLLOWS_SOONER 2U /* and they wait for at most half as long as they do otherwise */

struct scenario {
	const char *name;
	uint32_t n_cpus;
	uint32_t spinners_per_cpu;       /* host load, each in a group like a domain's */
	const struct behaviour *foreign; /* of a FIFO thread on each CPU, no vCPU's; NULL: none */
	uint32_t cpu_share_permille;     /* cap of a CPU; 0: SIM_CPU_SHARE_PERMILLE */
	uint64_t lasts_ns;               /* at least */
	bool holds;                      /* domains are paused and resumed at random */
	uint32_t domain_share_permille;  /* cap of a domain; 0: SIM_DOMAIN_SHARE_PERMILLE */
	uint32_t help;                   /* enum profile_help of all vCPUs */
	uint32_t booster_permille; /* host.booster_permille, if it takes more than shipped; 0: no */
	bool is_flooded;           /* all but the first cast's domains keep the booster busy */
	bool polls;                /* the tracer cannot read the guests' pages: the booster must */
	uint32_t gain;             /* of requests, against the same host that ignores them */
	uint32_t follows;          /* FOLLOWS or more; 0: helpers are only watched */
	int served_permille;       /* first cast's wake-ups that must run boosted at once; 0: any */
	struct cast casts[SCENARIO_CASTS_MAX];
};

extern const struct scenario scenarios[];
extern const size_t n_scenarios;

#define SIM_DOMAIN_SHARE_PERMILLE 500

static inline uint32_t scenario_domain_permille(const struct scenario *scenario)
{
	return scenario->domain_share_permille ?: SIM_DOMAIN_SHARE_PERMILLE;
}

/** By its name; NULL: there is none. */
const struct scenario *scenario_find(const char *name);

/**
 * Fills the machine. Returns the number of vCPUs, which are its first threads. Helpers that follow
 * count as such.
 * @vcpus  0, or their maximum
 */
unsigned int scenario_populate(const struct scenario *scenario, struct world *world,
                               uint32_t vcpus);
