/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The governor: while domains wait for CPUs, each does best with as many vCPUs as CPUs that it
 * gets. With more of them the host preempts one vCPU to run another of the same guest, also in the
 * middle of what others of that guest wait for. So the governor says which vCPUs a guest should
 * avoid: one more or one less in an interval. It gives no CPU to any domain and takes none away; a
 * guest may pass over what it says.
 *
 * The contention of a domain is the part of its vCPUs' demand that they wait: waiting of waiting
 * and running. Above one threshold a vCPU is avoided, below another one is given back. Between
 * the two nothing changes. What a domain is entitled to, by the weight of its group on its CPUs,
 * and what it gets in fact, it keeps: to that many vCPUs it may shrink. Of domains that share CPUs,
 * the one with the lowest yield order shrinks first: the host chooses who steps aside.
 *
 * Little contention after vCPUs were avoided does not tell that there is room for them. So one is
 * given back if the domains leave room on its CPUs, or if it is entitled to more than it has left;
 * if they leave most of a CPU, contention above the lower threshold is no obstacle.
 * Loads come and go, so it is a try even then. Each that was in vain makes the next one wait twice
 * as long, and there are at most two reversals in a minute. Loads of the host that are no domain's
 * are not seen: for these no domain steps aside. Pure; time is a parameter.
 */

#include "util/base.h"

/** How far apart steps are, about. */
#define GOVERNOR_INTERVAL_NS NSEC_PER_SEC

struct governor_rule {
	uint32_t high_permille, low_permille; /* of contention */
	uint32_t high_times, low_times;       /* steps in a row, before it counts */
	uint64_t hold_min_ns, hold_max_ns;    /* from shrinking to the next try to grow */
	uint64_t vain_ns;   /* growing that is reversed within that time was in vain */
	uint64_t window_ns; /* two reversals in any such time, at most */
};

/**
 * A tenth of the time that is waited for is what a guest notices; a fiftieth is noise. Two steps,
 * since a load of a second is gone before a guest has moved its tasks, which takes it up to two.
 */
#define GOVERNOR_RULE_INIT                                                                         \
	((struct governor_rule){                                                                   \
	        .high_permille = 100,                                                              \
	        .low_permille = 20,                                                                \
	        .high_times = 2,                                                                   \
	        .low_times = 5,                                                                    \
	        .hold_min_ns = 4 * NSEC_PER_SEC,                                                   \
	        .hold_max_ns = 300 * NSEC_PER_SEC,                                                 \
	        .vain_ns = 45 * NSEC_PER_SEC,                                                      \
	        .window_ns = 60 * NSEC_PER_SEC,                                                    \
	})

/** What the governor remembers of a domain. Zeroed: nothing. */
struct governor_course {
	uint32_t highs, lows; /* steps in a row */
	int direction;        /* of the last step that changed something: 1 fewer vCPUs, -1 more */
	uint64_t hold_ns, hold_until_ns; /* not grown before */
	uint64_t reversed_ns[2];         /* when: the last one, the one before; 0: never */
	uint32_t reversals_total;
};

/** One vCPU in one step. */
struct governor_vcpu {
	unsigned int index;       /* in its domain; 0 is never avoided */
	uint64_t run_ns, wait_ns; /* since the last step */
	uint32_t avoided;         /* 0: it is not; else the larger the later. Changed by the step */
};

/** One domain in one step. */
struct governor_domain {
	bool governed;        /* else it only has its part of the CPUs, and avoids nothing */
	const uint64_t *cpus; /* that its vCPUs may run on; empty: any that is online */
	uint32_t weight;      /* of its group; more than 0 */
	uint32_t yield_order; /* as struct profile's */
	size_t n_vcpus;
	struct governor_vcpu *vcpus;
	struct governor_course *course;
	/* filled in */
	uint32_t contention_permille;
	uint32_t entitled_permille; /* of one CPU */
	uint32_t least;             /* vCPUs that it keeps */
	bool has_room;              /* another one would have something to run on */
};

/** The sum of what is wanted on one CPU; scratch memory of a step. */
struct governor_cpu {
	uint64_t density; /* of those that are not satisfied */
	uint32_t left_permille;
	uint32_t used_permille; /* by all domains */
	uint32_t first_order;   /* of those that are about to shrink */
};

struct governor_step {
	const struct governor_rule *rule;
	size_t n_domains;
	struct governor_domain *domains;
	size_t cpu_words;          /* of every set: CPU n is bit n % 64 of word n / 64 */
	const uint64_t *online;    /* CPUs */
	struct governor_cpu *cpus; /* 64 for each word */
	uint64_t interval_ns;      /* since the last step; more than 0 */
	uint64_t now_ns;
};

/** One step. Returns how many vCPUs are avoided, or are not any more, that were not before. */
unsigned int governor_run(const struct governor_step *step);

/** Does a domain need the next step: is it contended, or does it avoid vCPUs? */
bool governor_is_busy(const struct governor_rule *rule, const struct governor_domain *domain);
