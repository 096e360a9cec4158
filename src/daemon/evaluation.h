/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What was observed of a vCPU, and what is recommended of it (policy/recommend.h). A replay of its
 * wake-ups takes some 100 us, so what was found is kept for a moment: `recommend`, `show` and the
 * profiles that learn have the same. About 500 bytes for each vCPU that was asked about.
 */

#include "daemon/views.h"
#include "policy/recommend.h"

struct evaluations;

struct evaluation {
	struct recommend_facts facts; /* without the demand, of which the rest is */
	struct recommend recommend;
	bool lacks_tokens;      /* recommend_lacks_tokens() */
	uint32_t late_permille; /* demand_late_permille() */
	uint64_t wakeups;       /* that the sample stands for */
	uint64_t since_ns;      /* of the sample; 0: there is none */
	uint64_t taken_ns;
};

/** So old an evaluation may be: the sample gets its next block after about as long. */
#define EVALUATION_AGE_NS (5 * NSEC_PER_SEC)

/** Nothing is evaluated yet. NULL when memory is out. */
struct evaluations *evaluations_new(void);

/** Takes NULL; returns NULL. */
struct evaluations *evaluations_free(struct evaluations *evaluations);

/**
 * Evaluates a vCPU, if that was not done a moment ago, by what it has now. Stays until the next
 * call for any vCPU.
 */
const struct evaluation *evaluation_of(const struct views *views,
                                       const struct inventory_domain *domain,
                                       const struct inventory_vcpu *vcpu);

/** What binds a recommendation for a domain: the caps of the host, and those of its profile. */
struct recommend_limits evaluation_limits(const struct views *views,
                                          const struct inventory_domain *domain);
