/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
#pragma once

/*
 * How long a helper waits behind boosted vCPUs of its own domain: when a wait begins and ends, and
 * what is charged meanwhile. Shared by the tracer and the simulator.
 */

#include "core/account.h"

/** The helper is runnable on @cpu and does not run. */
static inline void pvs_helper_wait_begin(struct pvs_helper_account *helper, __u32 cpu, __u64 now_ns)
{
	helper->cpu = cpu;
	if (helper->since_ns)
		return;
	helper->behind_ns = 0;
	helper->since_ns = now_ns;
}

/** The helper was switched in. */
static inline void pvs_helper_wait_end(struct pvs_helper_account *helper, __u64 now_ns)
{
	__u64 wait_ns = now_ns - helper->since_ns;

	helper->since_ns = 0;
	helper->waits++;
	helper->wait_ns += wait_ns;
	if (wait_ns > helper->wait_max_ns)
		helper->wait_max_ns = wait_ns;
	if (helper->behind_ns > helper->behind_max_ns)
		helper->behind_max_ns = helper->behind_ns;
}

/** A vCPU of the helper's domain was charged on @cpu for @charge_ns, used up until @until_ns. */
static inline void pvs_helper_charge(struct pvs_helper_account *helper, __u32 cpu, __u64 until_ns,
                                     __u64 charge_ns)
{
	__u64 waited_ns;

	if (!helper->since_ns || helper->cpu != cpu || helper->since_ns >= until_ns)
		return;
	waited_ns = until_ns - helper->since_ns;
	helper->behind_ns += waited_ns < charge_ns ? waited_ns : charge_ns;
}

/** How long the helper has waited behind boosted vCPUs, the current run of @vcpu included. */
static inline __u64 pvs_helper_behind(const struct pvs_helper_account *helper,
                                      const struct pvs_vcpu_account *vcpu, __u64 now_ns)
{
	__u64 from_ns = pvs_run_boosted_since(vcpu->in_ns, vcpu->boosted_at_ns);

	if (from_ns < helper->since_ns)
		from_ns = helper->since_ns;
	return helper->behind_ns + (now_ns > from_ns ? now_ns - from_ns : 0);
}

/** How much longer the helper may wait; 0: it has waited too long. */
static inline __u64 pvs_helper_patience(const struct pvs_helper_account *helper,
                                        const struct pvs_vcpu_account *vcpu, __u64 now_ns)
{
	__u64 behind_ns = pvs_helper_behind(helper, vcpu, now_ns);

	if (behind_ns + PVS_TOKENS_MIN_NS <= PVS_HELPER_WAIT_NS)
		return PVS_HELPER_WAIT_NS - behind_ns;
	return 0;
}

/* The wait that began then, in 32 bits; never 0. */
static inline __u32 pvs_helper_wait_name(__u64 since_ns)
{
	return (__u32)since_ns | 1;
}

/** Was the wait that began at @since_ns reported as too long? */
static inline int pvs_helper_is_told(__u32 told, __u64 since_ns)
{
	return told == pvs_helper_wait_name(since_ns);
}

/**
 * The wait that began at @since_ns is too long: is that to be reported? Once per wait, also if two
 * CPUs ask at the same time, and however often the helper is moved meanwhile: its owner can do that
 * at any rate.
 */
static inline __attribute__((always_inline)) int pvs_helper_tell(struct pvs_helper_account *helper,
                                                                 __u64 since_ns)
{
	__u32 name = pvs_helper_wait_name(since_ns);

	if (__sync_lock_test_and_set(&helper->told, name) == name)
		return 0;
	helper->sheds++;
	return 1;
}
