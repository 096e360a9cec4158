/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
#pragma once

/*
 * The token bucket, one word wide. The tracer charges it with what ran, the policy decides on what
 * is left, and the simulator does both. They share one arithmetic, so that they cannot disagree.
 *
 * A bucket does not hold a level and the time at which that was valid. It holds the time at which
 * all that was charged will have been paid for (`repaid_at`, ns on the monotonic clock). A charge
 * of c ns at a share of r permille takes c * 1000 / r ns to repay. It moves repaid_at that far from
 * now, or from where it was if that is later. A bucket whose repaid_at lies in the past is full.
 *
 * Over any window W the sum of charges is at most burst + share * W, plus what was overdrawn. The
 * overdraft stays a debt and is paid before anything else.
 *
 * It is one word because several CPUs charge a domain's bucket at once: a compare-and-swap is all
 * that this takes.
 */

#include <linux/types.h>

/* A word that another CPU writes at the same time: one load, never repeated. */
#ifdef __SANITIZE_THREAD__ /* it does not know that such a read is meant */
#define PVS_READ(word) __atomic_load_n(&(word), __ATOMIC_RELAXED)
#else
#define PVS_READ(word) (*(const volatile __typeof__(word) *)&(word))
#endif

/*
 * The same, and what is read after it is at least as new as it: for flags, whose times are written
 * before them. BPF has no such load. On x86 each load is one; elsewhere an atomic operation is,
 * which in BPF is a full barrier if its result is used.
 */
#if !defined(__bpf__)
#define PVS_READ_ACQUIRE(word) __atomic_load_n(&(word), __ATOMIC_ACQUIRE)
#elif defined(__TARGET_ARCH_x86)
#define PVS_READ_ACQUIRE(word) PVS_READ(word)
#else
#define PVS_READ_ACQUIRE(word) __sync_fetch_and_add((__u32 *)&(word), 0)
#endif

/** What a bucket allows. */
struct pvs_bucket_rule {
	__u64 burst_ns;       /* capacity */
	__u32 share_permille; /* refill in permille of wall time, 1..1000; 0 refuses all */
	__u32 pad;
};

/**
 * No charge moves repaid_at further than this from now, so a debt is bounded, whatever went wrong.
 * It is ten times what the largest burst takes to repay at the smallest share.
 */
#define PVS_BUCKET_DEBT_MAX_NS (100ULL * 1000 * 1000 * 1000)

/**
 * The tokens that are left at @now_ns, in ns: burst_ns when full, 0 or less when empty.
 * Negative is debt.
 */
static inline __s64 pvs_bucket_tokens(const struct pvs_bucket_rule *rule, __u64 repaid_at_ns,
                                      __u64 now_ns)
{
	__u64 owed_ns;

	if (rule->share_permille == 0)
		return 0;
	if (repaid_at_ns <= now_ns)
		return (__s64)rule->burst_ns;
	owed_ns = repaid_at_ns - now_ns;
	if (owed_ns > 2 * PVS_BUCKET_DEBT_MAX_NS)
		owed_ns = 2 * PVS_BUCKET_DEBT_MAX_NS;
	return (__s64)rule->burst_ns - (__s64)(owed_ns * rule->share_permille / 1000);
}

/** The new repaid_at after @charge_ns were used up until @now_ns. The caller stores it. */
static inline __u64 pvs_bucket_charge(const struct pvs_bucket_rule *rule, __u64 repaid_at_ns,
                                      __u64 now_ns, __u64 charge_ns)
{
	__u64 share = rule->share_permille ? rule->share_permille : 1;
	__u64 from_ns = repaid_at_ns > now_ns ? repaid_at_ns : now_ns;
	__u64 latest_ns = now_ns + PVS_BUCKET_DEBT_MAX_NS;
	__u64 repaid_ns;

	if (latest_ns < now_ns)
		latest_ns = ~0ULL;
	/* a damaged word stays a debt, and does not wrap into credit */
	if (from_ns > latest_ns)
		from_ns = latest_ns;
	if (charge_ns > PVS_BUCKET_DEBT_MAX_NS)
		charge_ns = PVS_BUCKET_DEBT_MAX_NS;
	repaid_ns = from_ns + (charge_ns * 1000 + share - 1) / share;
	return repaid_ns > latest_ns || repaid_ns < from_ns ? latest_ns : repaid_ns;
}

/**
 * As of when a use that ended at @until_ns is charged at @now_ns: as of its end, but at most a
 * second ago. A charge bounds the debt relative to its own time, so an older time would cut the
 * debt that other charges have added since.
 */
static inline __u64 pvs_bucket_until(__u64 until_ns, __u64 now_ns)
{
	return until_ns + 1000000000ULL < now_ns ? now_ns - 1000000000ULL : until_ns;
}

/**
 * The price of a use of @used_ns for a vCPU whose fair entitlement is @entitled_permille of a CPU
 * (0: unknown). Real-time run time is free in the fair class. So if the fair share is less than the
 * share of the vCPU's profile, the charge is greater by the same ratio. In the long run no vCPU is
 * boosted for longer than it could have run anyway.
 */
static inline __u64 pvs_bucket_price(const struct pvs_bucket_rule *rule, __u64 used_ns,
                                     __u32 entitled_permille)
{
	if (entitled_permille == 0 || entitled_permille >= rule->share_permille)
		return used_ns;
	return used_ns * rule->share_permille / entitled_permille;
}

/**
 * The new repaid_at of a vCPU's own bucket after @used_ns of run time that ended at @until_ns;
 * unchanged if @used_ns is 0.
 */
static inline __attribute__((always_inline)) __u64
pvs_bucket_use(const struct pvs_bucket_rule *rule, __u64 repaid_at_ns, __u64 used_ns,
               __u64 until_ns, __u64 now_ns, __u32 entitled_permille)
{
	if (!used_ns)
		return repaid_at_ns;
	return pvs_bucket_charge(rule, repaid_at_ns, pvs_bucket_until(until_ns, now_ns),
	                         pvs_bucket_price(rule, used_ns, entitled_permille));
}

/** The inverse of the price: how long a vCPU may run for @tokens_ns. */
static inline __s64 pvs_bucket_worth(const struct pvs_bucket_rule *rule, __s64 tokens_ns,
                                     __u32 entitled_permille)
{
	if (tokens_ns <= 0 || entitled_permille == 0 || entitled_permille >= rule->share_permille)
		return tokens_ns;
	return (__s64)((__u64)tokens_ns * entitled_permille / rule->share_permille);
}

/**
 * The earliest time at which @want_ns tokens (at most the burst) are left, if nothing is charged
 * until then. If they are left already, a time in the past.
 */
static inline __u64 pvs_bucket_ready_at(const struct pvs_bucket_rule *rule, __u64 repaid_at_ns,
                                        __u64 want_ns)
{
	__u64 share = rule->share_permille ? rule->share_permille : 1;
	__u64 spare_ns = rule->burst_ns > want_ns ? (rule->burst_ns - want_ns) * 1000 / share : 0;

	return repaid_at_ns > spare_ns ? repaid_at_ns - spare_ns : 0;
}
