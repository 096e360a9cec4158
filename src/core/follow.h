/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
#pragma once

/*
 * Helpers that follow their vCPUs. Such a helper has an account of each kind: as a helper, which
 * says how it waits, and in a slot of vCPUs, by which it is charged and its boosts end as a vCPU's
 * do. Shared by the tracer, the daemon and the simulator.
 */

#include "core/account.h"

/**
 * A helper that follows, and is not boosted, is reported when it has been runnable for so long.
 * Most waits on a CPU that is free or is about to be are over by then; waits behind fair threads
 * take milliseconds.
 */
#define PVS_FOLLOW_WAIT_NS 100000

/** One that is woken less often than this is not armed ahead: it gains little by that. */
#define PVS_FOLLOW_PERIOD_NS 10000000ULL

/** Nor is one that was not woken for so long. */
#define PVS_FOLLOW_STALE_NS 40000000ULL

/** A timer of the kernel's may be early by its own resolution. */
#define PVS_FOLLOW_EARLY_NS 2000

/** Is its next wait of interest? */
static inline __attribute__((always_inline)) int
pvs_follow_is_wanted(const struct pvs_vcpu_account *account)
{
	__u32 flags = PVS_READ(account->flags);

	return (flags & PVS_FLAG_REPORT_HELPER_WAITS) && !(flags & PVS_FLAG_BOOSTED);
}

/** How much longer it may wait before that is reported; 0: it has waited for so long. */
static inline __u64 pvs_follow_patience(__u64 since_ns, __u64 now_ns)
{
	__u64 waited_ns = now_ns > since_ns ? now_ns - since_ns : 0;

	if (waited_ns + PVS_FOLLOW_EARLY_NS >= PVS_FOLLOW_WAIT_NS)
		return 0;
	return PVS_FOLLOW_WAIT_NS - waited_ns;
}

/** The wait that began at @since_ns is to be reported, unless it was: once, on whatever CPU. */
static inline __attribute__((always_inline)) int pvs_follow_tell(struct pvs_vcpu_account *account,
                                                                 __u64 since_ns)
{
	return __sync_lock_test_and_set(&account->helper_told_ns, since_ns) != since_ns;
}

/**
 * Are its runs short and regular? Nine of ten take no more than half of its burst, and it is woken
 * often, also of late. Then it is worth to be armed ahead of them.
 */
static inline int pvs_follow_is_steady(const struct pvs_vcpu_account *account, __u64 now_ns)
{
	__u64 most_ns = PVS_READ(account->work.most_ns);
	__u64 period_ns = PVS_READ(account->rhythm.period_ns);
	__u64 woken_ns = PVS_READ(account->rhythm.woken_ns);

	return most_ns && most_ns <= account->rule.burst_ns / 2 && period_ns &&
	       period_ns <= PVS_FOLLOW_PERIOD_NS && now_ns < woken_ns + PVS_FOLLOW_STALE_NS;
}
