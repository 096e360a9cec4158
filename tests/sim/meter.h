/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The checker's judgement made meanwhile, for runs with too many intervals to keep. It uses the
 * definitions of checker.h, and is as independent of what it judges. In the ordinary test both must
 * agree.
 */

#include "checker.h"

struct meters;

struct meter_sizes {
	uint32_t cpus, threads, vcpus, domains;
	uint32_t cpu_permille, vcpu_permille, domain_permille; /* the shares */
};

/** Returns NULL when out of memory. */
struct meters *meters_new(const struct meter_sizes *sizes);
struct meters *meters_free(struct meters *meters);

/** A thread begins or ends to run boosted; in the order of time. @vcpu and @domain: -1: none. */
void meters_boosted(struct meters *meters, uint64_t at_ns, uint32_t cpu, int32_t vcpu,
                    int32_t domain, bool begins);

/** One stretch has ended; called in the order of their ends. */
void meters_ran(struct meters *meters, const struct run_interval *run);

/** As checker_excess_ns(). */
uint64_t meters_excess_ns(const struct meters *meters, enum checker_key key, uint32_t number);

/** As checker_longest_wait_ns(), checker_nonsense(). */
uint64_t meters_longest_wait_ns(const struct meters *meters);
const char *meters_nonsense(const struct meters *meters);

/** Boosted time of all vCPUs together. */
uint64_t meters_boosted_ns(const struct meters *meters);

/** Delays, in 64 buckets for each doubling. */
#define DELAYS_FINE    64
#define DELAYS_BUCKETS (DELAYS_FINE * 40)

struct delays {
	uint64_t n, sum_ns, max_ns;
	uint64_t counts[DELAYS_BUCKETS];
};

void delays_add(struct delays *delays, uint64_t delay_ns);

void delays_merge(struct delays *delays, const struct delays *other);

/** The delay that @permille of them did not exceed, to 2 %; 0 if there are none. */
uint64_t delays_quantile_ns(const struct delays *delays, uint32_t permille);
