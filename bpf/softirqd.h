/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

/*
 * The kernel's softirq threads: whether ksoftirqd waits behind a boosted vCPU.
 */

#include "tables.h"

/*
 * Reports a boosted vCPU that has the CPU while ksoftirqd waits there. Up to Linux 6.4 no softirq
 * runs on a CPU whose ksoftirqd is runnable, and so the vCPU's deadline does not fire either. Then
 * the daemon must watch this run by a timer of its own.
 */
static __always_inline void softirqd_watch(__u32 slot, __u32 cpu)
{
	struct pvs_cpu_account *account = bpf_map_lookup_elem(&cpus, &cpu);

	if ((parts & PVS_PART_SOFTIRQ) && account && account->softirqd_since_ns)
		event_send(slot, PVS_EVENT_SOFTIRQD, 0);
}

static __always_inline void softirqd_switch(struct task_struct *prev, bool prev_runnable,
                                            struct task_struct *next, __u64 now, __u32 cpu)
{
	struct pvs_cpu_account *account = bpf_map_lookup_elem(&cpus, &cpu);

	if (!(parts & PVS_PART_SOFTIRQ) || !account || !account->softirqd_tid)
		return;
	if (next->pid == account->softirqd_tid)
		account->softirqd_since_ns = 0;
	else if (prev->pid == account->softirqd_tid)
		account->softirqd_since_ns = prev_runnable ? now : 0;
}

/* ksoftirqd is woken on its own CPU only. */
static __always_inline void softirqd_waking(struct task_struct *p)
{
	__u32 cpu = bpf_get_smp_processor_id(), slot = 0;
	struct pvs_cpu_account *account = bpf_map_lookup_elem(&cpus, &cpu);
	struct pvs_vcpu_account *vcpu;

	if (!(parts & PVS_PART_SOFTIRQ) || !account || p->pid != account->softirqd_tid)
		return;
	account->softirqd_since_ns = bpf_ktime_get_ns();
	vcpu = vcpu_find((__u32)bpf_get_current_pid_tgid(), &slot);
	if (vcpu && (vcpu->flags & PVS_FLAG_BOOSTED) && vcpu->in_ns)
		softirqd_watch(slot, cpu);
}
