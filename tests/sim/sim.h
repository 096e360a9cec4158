/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* One run of one scenario, judged. */

#include "host.h"
#include "meter.h"
#include "scenario.h"

struct sim_options {
	uint64_t seed;
	uint64_t lasts_ns;
	uint64_t delay_ns;         /* maximum delay of the booster */
	uint64_t start_late_ns;    /* maximum delay of a deadline's start in sched_switch */
	uint32_t refused_permille; /* of these starts */
	uint32_t cpus;             /* 0: as the scenario says */
	uint32_t vcpus;            /* 0: the same; else at most so many */
	uint32_t booster_permille; /* host.booster_permille */
	uint32_t policy;           /* of all vCPUs: policy/registry.h; 0: the default one */
	enum mutation mutation;
	struct pvs_prices prices; /* zeroed: the usual ones */
	bool print;
};

/** A cap: the largest excess over its share, and what is allowed. */
struct sim_cap {
	uint64_t excess_ns;
	uint64_t limit_ns;
};

/** The waits of urgent work in guests that make requests. */
struct sim_urgent {
	uint64_t jobs;
	uint64_t wait_ns; /* from due to begun, of all together */
	uint64_t late;    /* waited for longer than GUEST_LATE_NS */
	uint64_t worst_ns;
	struct delays waits;
	uint64_t boosted_ns;                   /* of the vCPUs that have such work */
	uint64_t lasts_ns;                     /* of all these, together */
	uint64_t helper_waits, helper_wait_ns; /* of helpers that follow, and of the same without */
};

struct sim_result {
	uint64_t hash;
	uint64_t delay_ns;                /* of the options */
	struct sim_urgent heard, unheard; /* with requests heard, and ignored */
	struct sim_cap vcpu, domain, cpu; /* of the one that is nearest to its limit */
	struct sim_cap sheet;      /* real time of a CPU in a second, while it is boosted on */
	struct sim_cap helper;     /* a helper behind its domain's vCPUs: time, limit */
	uint32_t boosted_permille; /* of all CPU time */
	int served_permille;       /* the worst of the first cast; -1: none woke */
	int host_loss_permille;    /* loss of the spinners against the same without boosts */
	uint64_t calls_per_s;
	uint32_t booster_permille; /* CPU time of the booster, of one CPU */
	uint64_t pauses;           /* how often a domain was not heard for a while */
	uint64_t longest_wait_ns;
	uint64_t base_wait_ns; /* the same without boosts */
	const char *failed;    /* the first promise that was broken; NULL: all kept */
};

void sim_run(const struct scenario *scenario, const struct sim_options *options,
             struct sim_result *ret);

/**
 * Tells whether requests are worth it, from runs in which they were heard and were not. @ret may
 * hold the sums of several seeds, which a single wait does not sway.
 */
void sim_judge_asking(const struct scenario *scenario, struct sim_result *ret);
