/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
#pragma once

/*
 * Signs that a guest gives without a page: an interrupt for a vCPU that waits to run, and spinning.
 * Decides which signs are worth an event, for the tracer and the simulator alike.
 */

#include "core/account.h"

/**
 * An interrupt was delivered to a vCPU. Returns 1 if it is the first one in the current wait of an
 * unboosted vCPU. Senders on several CPUs may call this at once.
 */
static inline __attribute__((always_inline)) int
pvs_interrupt_is_first(struct pvs_vcpu_account *vcpu)
{
	__u64 before = vcpu->interrupt_for_ns, ready_ns;

	ready_ns = vcpu->in_ns ? 0 : pvs_ready_since(vcpu->out, vcpu->out_ns, vcpu->wake_ns);
	if (!ready_ns || before == ready_ns || (vcpu->flags & PVS_FLAG_BOOSTED))
		return 0;
	if (__sync_val_compare_and_swap(&vcpu->interrupt_for_ns, before, ready_ns) != before)
		return 0; /* another CPU has counted an interrupt for this wait */
	__sync_fetch_and_add(&vcpu->deliveries_waiting, 1);
	return 1;
}

/** The interrupt was the first. Returns 1 if it is to be reported: see PVS_INTERRUPT_TOLD_NS. */
static inline int pvs_interrupt_is_told(struct pvs_vcpu_account *vcpu, __u64 now_ns)
{
	if (!(vcpu->flags & PVS_FLAG_REPORT_INTERRUPT) || now_ns < vcpu->interrupts_from_ns ||
	    now_ns - vcpu->interrupt_told_ns < PVS_INTERRUPT_TOLD_NS)
		return 0;
	vcpu->interrupt_told_ns = now_ns;
	return 1;
}

/**
 * The vCPU's guest spins. Returns 1 at the sign that is to be reported: see PVS_SPINS. Of a vCPU
 * that is not boosted only where its profile helps the vCPU that it waits for.
 */
static inline int pvs_spin_is_told(struct pvs_vcpu_account *vcpu)
{
	__u64 since_ns = vcpu->in_ns;

	vcpu->spins++;
	if (vcpu->flags & PVS_FLAG_BOOSTED)
		since_ns = pvs_run_boosted_since(vcpu->in_ns, vcpu->boosted_at_ns);
	else if (!(vcpu->flags & PVS_FLAG_REPORT_WAITS))
		return 0;
	if (vcpu->spin_since_ns != since_ns)
		vcpu->spins_of_run = 0;
	vcpu->spin_since_ns = since_ns;
	return ++vcpu->spins_of_run == PVS_SPINS;
}
