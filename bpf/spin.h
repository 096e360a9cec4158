/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

/*
 * A guest that waits for another of its vCPUs by spinning. KVM lets the other vCPU run first, but
 * never before a real-time thread. So a boosted vCPU that spins burns its tokens, and may keep the
 * vCPU that it waits for from running.
 */

#include "tables.h"

#include "core/signs.h"

#define HYPERCALL_SCHED_YIELD 11

/* The current thread may be a vCPU, whose guest has just given a sign of spinning. */
static __always_inline void spun(void)
{
	struct pvs_vcpu_account *vcpu;
	__u32 slot = 0;

	vcpu = vcpu_find((__u32)bpf_get_current_pid_tgid(), &slot);
	if (vcpu && pvs_spin_is_told(vcpu))
		event_send(slot, PVS_EVENT_SPIN, 0);
}

/* KVM's window of pauses grows at each PAUSE exit, and starts anew with each run. */
SEC("raw_tp/kvm_ple_window_update")
int BPF_PROG(on_ple_window_update, __u32 apic_id, __u32 now, __u32 before)
{
	if (now > before)
		spun();
	return 0;
}

/* KICK_CPU is no sign: a vCPU that wakes another one does not wait for it. */
SEC("raw_tp/kvm_hypercall")
int BPF_PROG(on_hypercall, unsigned long number)
{
	if (number == HYPERCALL_SCHED_YIELD)
		spun();
	return 0;
}
