/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What burst and share cover the demand of a vCPU, found by a replay of its wake-ups through the
 * bucket that would be charged for them. Pure.
 *
 * A wake-up is *covered* if the vCPU is boosted when it comes, and the tokens last until its work
 * is done. Where they do not, the vCPU is not boosted again before its bucket is full, and later if
 * that comes again soon, as the policy has it. A wake-up has the price that it had: where the fair
 * entitlement was less than the share, tokens last for less.
 */

#include "core/bucket.h"
#include "core/costs.h"
#include "core/demand.h"
#include "util/base.h"

/** So many of 1000 wake-ups are to be covered. */
#define DEMAND_GOAL_PERMILLE 990

/** One wake-up; it stands for @weight of them. */
struct demand_piece {
	uint64_t gap_ns; /* after the one before */
	uint64_t work_ns;
	uint32_t weight;
	uint32_t entitled_permille; /* fair entitlement, of its block; 1000: or not known */
	bool late;                  /* see PVS_DEMAND_LATE_NS */
	bool boosted;               /* see PVS_PIECE_BOOSTED */
};

struct demand {
	size_t n;
	uint64_t since_ns;        /* when the first one came; 0 if there is none */
	uint64_t wakeups;         /* that all stand for */
	struct pvs_prices prices; /* of the machine: what a bucket would be charged */
	struct demand_piece pieces[PVS_DEMAND_PIECES];
};

/** @halts is the account's count as of now, and @raw is not younger. */
void demand_read(const struct pvs_demand *raw, uint64_t halts, const struct pvs_prices *prices,
                 struct demand *ret);

/** Its work in permille of a CPU's time, rounded up. */
uint32_t demand_used_permille(const struct demand *demand);

/** How many of 1000 wake-ups were late and not boosted. */
uint32_t demand_late_permille(const struct demand *demand);

/** How many of 1000 wake-ups such a bucket covers. 0 if there are none. */
uint32_t demand_covered_permille(const struct demand *demand, const struct pvs_bucket_rule *rule);

/** The fair entitlement over all wake-ups; 1000: or not known. 0 if there are none. */
uint32_t demand_entitled_permille(const struct demand *demand);

/**
 * The burst that a vCPU of that share needs: if its bucket is full, 99 of 100 wake-ups are covered,
 * at their price. It is an eighth more than the least one, so that the share need not fill the
 * bucket before each wake-up.
 */
uint64_t demand_burst_ns(const struct demand *demand, uint32_t share_permille);

/**
 * The share with which a bucket of its burst covers 99 of 100 wake-ups: the least one, and a
 * twentieth more, since this is a sample. Where few of the wake-ups have much more work than the
 * others, the sample may be off by a quarter. Returns 0: none does, up to the largest fair
 * entitlement, beyond which more share gives nothing.
 */
uint32_t demand_share_permille(const struct demand *demand);
