/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

/*
 * Interrupts on their way into a vCPU.
 *
 * KVM shows a delivery in the context of the sender: a vCPU of the same VM, another thread of its
 * QEMU, vhost's worker, or an interrupt handler. It names the receiver by APIC id alone, so the VM
 * is taken to be the sender's. A delivery whose VM is unknown is counted and does nothing else. KVM
 * shows an injection in the context of the vCPU thread.
 */

#include "relate.h"
#include "tables.h"

#include "core/signs.h"

#define PF_KTHREAD 0x00200000

/* Bits of preempt_count(): softirqs that are served (not just disabled), hard interrupts, NMIs. */
#define HANDLER_MASK 0x00ff0100

/* KVM's delivery modes. The others start or stop a vCPU. */
#define MODE_FIXED  0x000
#define MODE_LOWEST 0x100
#define MODE_REMRD  0x300 /* KVM's own: another vCPU kicks it because it holds or got a lock */
#define MODE_NMI    0x400

/* How the sender of an interrupt names a vCPU. */
struct vcpu_address {
	__u32 process; /* its QEMU */
	__u32 apic_id;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, PVS_VCPUS_MAX);
	__type(key, struct vcpu_address);
	__type(value, __u32); /* slot */
} addresses SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct pvs_interrupt_counts);
} interrupt_counts SEC(".maps");

/* Like `listed`, for the QEMU processes in `addresses`: other VMs cost no look-up. */
__u64 processes[64];

/* The distance in bytes from a CPU's run queue to its preempt_count; 0: unknown. */
const volatile __s64 preempt_count_from_rq;

static __always_inline struct pvs_interrupt_counts *counts_here(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&interrupt_counts, &zero);
}

/* Atomic, because an interrupt handler on the same CPU may interrupt the counting. */
#define COUNT(word) __sync_fetch_and_add(&(word), 1)

/*
 * Whether an interrupt handler runs in place of @task. Where this cannot be seen, a handler counts
 * as the thread that it interrupts. At worst another VM's vCPU that waits is boosted then, within
 * its tokens.
 */
static __always_inline bool in_handler(struct task_struct *task)
{
	struct cfs_rq *queue = task->se.cfs_rq;
	__s64 away = preempt_count_from_rq;
	unsigned int count = 0;

	if (!away || !bpf_core_field_exists(queue->rq) || !queue)
		return false;
	bpf_probe_read_kernel(&count, sizeof(count), (void *)((__u64)queue->rq + away));
	return count & HANDLER_MASK;
}

/* The process in whose memory @task works; 0: none. */
static __always_inline __u32 process_of(struct task_struct *task)
{
	struct mm_struct *mm = task->mm;
	struct task_struct *owner;

	if (!(task->flags & PF_KTHREAD))
		return task->tgid;
	/* up to Linux 6.3 vhost's worker is a kernel thread that uses QEMU's memory */
	if (!bpf_core_field_exists(mm->owner) || !mm)
		return 0;
	owner = mm->owner;
	return owner ? owner->tgid : 0;
}

/* The vCPU of the VM that works in @process. */
static __always_inline struct pvs_vcpu_account *addressed_vcpu(__u32 process, __u32 apic_id,
                                                               __u32 *slot)
{
	struct vcpu_address address = {.process = process, .apic_id = apic_id};
	__u32 *found = NULL;

	if (processes[(process >> 6) & 63] & (1ULL << (process & 63)))
		found = bpf_map_lookup_elem(&addresses, &address);
	if (!found)
		return NULL;
	*slot = *found;
	return bpf_map_lookup_elem(&vcpus, found);
}

/* An interrupt was delivered. Reports the first one in each wait to run of an unboosted vCPU. */
static __always_inline void delivered_waiting(struct pvs_vcpu_account *vcpu, __u32 slot,
                                              __u32 vector)
{
	if (pvs_interrupt_is_first(vcpu) && pvs_interrupt_is_told(vcpu, bpf_ktime_get_ns()))
		event_send(slot, PVS_EVENT_INTERRUPT, vector);
}

/*
 * An interrupt is delivered, in the sender's context. An interrupt that the hardware is to inject
 * passes here before kvm_apicv_accept_irq, unless it never leaves the hardware.
 */
SEC("raw_tp/kvm_apic_accept_irq")
int BPF_PROG(on_apic_accept_irq, __u32 apic_id, __u16 mode, __u16 trigger, __u8 vector)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct pvs_interrupt_counts *counts = counts_here();
	struct pvs_vcpu_account *vcpu;
	__u32 slot = 0;

	if (!counts ||
	    (mode != MODE_FIXED && mode != MODE_LOWEST && mode != MODE_REMRD && mode != MODE_NMI))
		return 0;
	if (in_handler(task)) {
		COUNT(counts->in_handler);
		return 0;
	}
	vcpu = addressed_vcpu(process_of(task), apic_id, &slot);
	if (!vcpu) {
		COUNT(counts->unattributed);
		return 0;
	}
	COUNT(counts->attributed);
	COUNT(vcpu->deliveries);
	if (task->pid == vcpu->tid) {
		COUNT(counts->own);
		COUNT(vcpu->deliveries_own);
	}
	if (mode == MODE_FIXED || mode == MODE_LOWEST)
		__sync_fetch_and_or(&vcpu->pending[vector >> 6 & 3], 1ULL << (vector & 63));
	delivered_waiting(vcpu, slot, vector);
	if ((parts & PVS_PART_RELATIONS) && mode == MODE_FIXED && (vcpu->flags & PVS_FLAG_RELATES))
		relate_received(slot, vector);
	return 0;
}

/* Follows kvm_apic_accept_irq where the CPU injects by itself (APICv, AVIC). */
SEC("raw_tp/kvm_apicv_accept_irq")
int on_apicv_accept_irq(void *ctx)
{
	struct pvs_interrupt_counts *counts = counts_here();

	if (counts)
		COUNT(counts->by_hardware);
	return 0;
}

/* Runs in the context of the vCPU thread, as it enters the guest with an interrupt. */
SEC("raw_tp/kvm_inj_virq")
int BPF_PROG(on_inj_virq, __u32 vector, bool soft, bool again)
{
	struct pvs_interrupt_counts *counts = counts_here();
	struct pvs_vcpu_account *vcpu;
	__u32 slot = 0;
	__u64 bit = 1ULL << (vector & 63);

	if (!counts)
		return 0;
	COUNT(counts->injections);
	vcpu = vcpu_find((__u32)bpf_get_current_pid_tgid(), &slot);
	if (!vcpu)
		return 0;
	vcpu->injections++;
	COUNT(counts->injections_known);
	/* the guest's own INT, or a repeated injection that an exit had cut short */
	if (soft || again)
		return 0;
	if (__sync_fetch_and_and(&vcpu->pending[vector >> 6 & 3], ~bit) & bit)
		return 0;
	vcpu->injections_unseen++;
	COUNT(counts->injections_unseen);
	return 0;
}
