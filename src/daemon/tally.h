/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What happened to each domain since it is known: sums over its vCPUs that only grow, whichever of
 * these come and go. The counters of a vCPU begin anew when it is given a slot; a sum of them would
 * fall then, which would be a leap in each difference of it. Of a vCPU that goes, what it did
 * since the last look is not in the sum.
 */

#include "core/account.h"
#include "daemon/vcpu_snapshot.h"
#include "daemon/views.h"
#include "policy/names.h"
#include "util/base.h"

struct tally;

struct tally_counts {
	uint64_t boosts, interrupt_boosts;     /* the latter are among the former */
	uint64_t boosted_ns, would_boosted_ns; /* the latter: in mode observe */
	uint64_t run_ns, wait_ns;
	uint64_t wakeups, boosted_wakeups;
	uint64_t denied[_POLICY_REASON_MAX];
	uint64_t waits[PVS_WAIT_BUCKETS]; /* as pvs_wait_bucket() */
};

/** Nothing is counted yet. NULL when memory is out. */
struct tally *tally_new(void);

/** Takes NULL; returns NULL. */
struct tally *tally_free(struct tally *tally);

/** Counts what is new of one vCPU of a domain; nothing of one that is not traced. */
void tally_add(struct tally *tally, const struct inventory_domain *domain,
               const struct inventory_vcpu *vcpu, const struct vcpu_snapshot *snapshot);

/** What was counted of a domain until now; valid until more is, or another domain has its slot. */
const struct tally_counts *tally_of(struct tally *tally, const struct inventory_domain *domain);

/**
 * Looks at all vCPUs of a domain. Returns what was counted until now, also in earlier looks; valid
 * until the next look at that domain. *ret_at_ns: when this look was.
 */
const struct tally_counts *tally_look(struct tally *tally, const struct views *views,
                                      const struct inventory_domain *domain, uint64_t *ret_at_ns);

/** Sets *ret to what was counted between two looks: @now less @before. */
void tally_difference(const struct tally_counts *now, const struct tally_counts *before,
                      struct tally_counts *ret);
