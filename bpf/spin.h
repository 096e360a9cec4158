/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

/*
 * A guest that waits for another of its vCPUs by spinning, and what it says of which one. KVM lets
 * the other vCPU run first, but never before a real-time thread. So a boosted vCPU that spins burns
 * its tokens, and may keep the vCPU that it waits for from running.
 */

#include "inject.h"
#include "relate.h"
#include "tables.h"

#include "core/signs.h"

#define HYPERCALL_KICK_CPU    5
#define HYPERCALL_SCHED_YIELD 11

#define AVIC_NOT_RUNNING 1 /* why AVIC could not deliver: the receiver does not run */

/* The current thread may be a vCPU, whose guest has just given a sign of spinning. */
static __always_inline void spun(void)
{
	struct pvs_vcpu_account *vcpu;
	__u32 slot = 0;

	vcpu = vcpu_find((__u32)bpf_get_current_pid_tgid(), &slot);
	if (!vcpu || !pvs_spin_is_told(vcpu))
		return;
	if (vcpu->flags & PVS_FLAG_BOOSTED)
		event_send(slot, PVS_EVENT_SPIN, 0);
	else if (pvs_waits_is_told(vcpu, bpf_ktime_get_ns()))
		event_send(slot, PVS_EVENT_WAITS, pvs_waits_arg(PVS_WAITS_SPINS, 0));
}

/* The guest of the current vCPU thread names one of its vCPUs by APIC id. */
static __always_inline void named(__u32 apic_id, enum pvs_waits how)
{
	struct pvs_vcpu_account *vcpu, *other;
	__u32 slot = 0, named_slot = 0;
	__u64 who = bpf_get_current_pid_tgid();

	vcpu = vcpu_find((__u32)who, &slot);
	if (!vcpu || !(vcpu->flags & (PVS_FLAG_RELATES | PVS_FLAG_REPORT_WAITS)))
		return;
	other = addressed_vcpu((__u32)(who >> 32), apic_id, &named_slot);
	if (!other || named_slot == slot)
		return;
	if (how == PVS_WAITS_SENT)
		pvs_relate(vcpu, other, named_slot, bpf_ktime_get_ns());
	if (how == PVS_WAITS_NAMED || !(vcpu->flags & PVS_FLAG_BOOSTED))
		relate_tell(slot, named_slot, how);
}

/* KVM's window of pauses grows at each PAUSE exit, and starts anew with each run. */
SEC("raw_tp/kvm_ple_window_update")
int BPF_PROG(on_ple_window_update, __u32 apic_id, __u32 now, __u32 before)
{
	if (now > before)
		spun();
	return 0;
}

/*
 * KICK_CPU is no sign of spinning: a vCPU that wakes another one does not wait for it. But that one
 * may have the lock now for which both waited. KVM does not show as an IPI what SEND_IPI sends.
 */
SEC("raw_tp/kvm_hypercall")
int BPF_PROG(on_hypercall, unsigned long number, unsigned long a0, unsigned long a1,
             unsigned long a2, unsigned long a3)
{
	if (number == HYPERCALL_SCHED_YIELD)
		spun();
	if (!(parts & PVS_PART_RELATIONS))
		return 0;
	if (number == HYPERCALL_SCHED_YIELD)
		named((__u32)a0, PVS_WAITS_NAMED);
	else if (number == HYPERCALL_KICK_CPU)
		named((__u32)a1, PVS_WAITS_SENT);
	else if (number == HYPERCALL_SEND_IPI)
		relate_sends((__u32)a3);
	return 0;
}

/* With AVIC most IPIs never leave the hardware. This one did, since its receiver does not run. */
SEC("raw_tp/kvm_avic_incomplete_ipi")
int BPF_PROG(on_avic_incomplete_ipi, __u32 apic_id, __u32 icr_high, __u32 icr_low, __u32 why)
{
	__u32 to = pvs_icr_destination(icr_low, icr_high);

	if (why == AVIC_NOT_RUNNING && to != PVS_APIC_ID_NONE && !(icr_low & PVS_ICR_MODE))
		named(to, PVS_WAITS_SENT);
	return 0;
}
