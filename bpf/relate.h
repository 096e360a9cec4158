/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

/*
 * Which vCPU waits for which: see core/relate.h. The programs here are attached only while the
 * daemon asks for relations, and what other programs call of this file is behind a flag of the
 * vCPU, so that vCPUs that help nothing pay nothing.
 */

#include "tables.h"

#include "core/relate.h"

#define HYPERCALL_SEND_IPI 10

/* The vCPU whose thread is the current one, if its profile asks for relations. */
static __always_inline struct pvs_vcpu_account *relating_vcpu(__u32 *slot)
{
	struct pvs_vcpu_account *vcpu = vcpu_find((__u32)bpf_get_current_pid_tgid(), slot);

	return vcpu && (vcpu->flags & PVS_FLAG_RELATES) ? vcpu : NULL;
}

/* The vCPU in @waiter waits for the one in @awaited: reports that, if that one waits to run. */
__noinline int relate_tell(__u32 waiter, __u32 awaited, __u32 how)
{
	struct pvs_vcpu_account *waits = bpf_map_lookup_elem(&vcpus, &waiter);
	struct pvs_vcpu_account *for_it = bpf_map_lookup_elem(&vcpus, &awaited);

	if (!waits || !for_it || !(waits->flags & PVS_FLAG_REPORT_WAITS) ||
	    waits->domain != for_it->domain)
		return 0;
	if (pvs_waits_for_is_told(waits, for_it, bpf_ktime_get_ns()))
		event_send(waiter, PVS_EVENT_WAITS, pvs_waits_arg(how, awaited));
	return 0;
}

/* An interrupt is delivered to the vCPU in @receiver, in the context of another one of its VM. */
__noinline int relate_received(__u32 receiver, __u32 vector)
{
	struct pvs_vcpu_account *gets = bpf_map_lookup_elem(&vcpus, &receiver);
	struct pvs_vcpu_account *sender;
	__u32 slot = 0;

	sender = relating_vcpu(&slot);
	if (!gets || !sender || slot == receiver)
		return 0;
	/* a boosted vCPU that merely sends is not unboosted for that, and two are never boosted */
	if (pvs_relate_received(sender, gets, receiver, vector, bpf_ktime_get_ns()) &&
	    !(sender->flags & PVS_FLAG_BOOSTED))
		relate_tell(slot, receiver, PVS_WAITS_SENT);
	return 0;
}

static __always_inline void relate_sends(__u32 icr)
{
	struct pvs_vcpu_account *vcpu;
	__u32 slot = 0;

	vcpu = relating_vcpu(&slot);
	if (vcpu)
		pvs_relate_sends(vcpu, icr);
}

/* Before the receivers of an interrupt are looked for, in the sender's context. */
SEC("raw_tp/kvm_apic_ipi")
int BPF_PROG(on_apic_ipi, __u32 icr_low, __u32 destination)
{
	relate_sends(icr_low);
	return 0;
}

static __always_inline void relate_served(void)
{
	struct pvs_vcpu_account *vcpu;
	__u32 slot = 0;

	vcpu = relating_vcpu(&slot);
	if (vcpu)
		pvs_relate_served(vcpu, bpf_ktime_get_ns());
}

/* In the context of the receiver; not where the hardware injects. */
SEC("raw_tp/kvm_eoi")
int on_eoi(void *ctx)
{
	relate_served();
	return 0;
}

SEC("raw_tp/kvm_pv_eoi")
int on_pv_eoi(void *ctx)
{
	relate_served();
	return 0;
}
