/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

/* Charges run time to the three buckets and the sheet. deadline.h reports an empty one of them. */

#include "tables.h"

#include "core/run.h"

#define MAX_RT_PRIO 100

static __always_inline void domain_charge(__u32 slot, __u64 until, __u64 charge)
{
	struct pvs_domain_account *domain = bpf_map_lookup_elem(&domains, &slot);

	if (domain)
		pvs_domain_charge(domain, until, charge);
}

/*
 * @ran: the run time, which is what the sheet counts; the charge may be another. A function of its
 * own for the verifier, which would follow the sheet's loops on each path that leads here.
 */
__noinline int cpu_charge(__u32 cpu, __u64 until, __u64 charge, __u64 ran, bool foreign)
{
	struct pvs_cpu_account *account = bpf_map_lookup_elem(&cpus, &cpu);
	struct pvs_bucket_rule rule = cpu_rule;

	if (!account)
		return 0;
	pvs_cpu_charge(account, &rule, until, charge, foreign);
	pvs_sheet_charge(&account->sheet, until, ran);
	return 0;
}

/* The vCPU that pays for a pulse; NULL: it is no pulse, or its domain pays alone. */
static __always_inline struct pvs_vcpu_account *payer_of(const struct pvs_vcpu_account *vcpu)
{
	__u32 payer = PVS_READ(vcpu->payer);

	if (!payer || payer == PVS_PAYER_DOMAIN)
		return NULL;
	payer--;
	return bpf_map_lookup_elem(&vcpus, &payer);
}

/* How long a boosted vCPU that runs since @since may go on. *which is the bucket with the least. */
static __always_inline __s64 tokens_left(const struct pvs_vcpu_account *vcpu, __u64 now,
                                         __u64 since, __u32 *which)
{
	__u32 domain_slot = vcpu->domain, cpu = vcpu->cpu;
	struct pvs_bucket_rule rule = cpu_rule;
	struct pvs_buckets buckets = {
	        .vcpu = vcpu,
	        .domain = bpf_map_lookup_elem(&domains, &domain_slot),
	        .cpu = bpf_map_lookup_elem(&cpus, &cpu),
	        .cpu_rule = &rule,
	        .payer = payer_of(vcpu),
	};

	return pvs_buckets_left(&buckets, since, now, which);
}

static __always_inline void exhausted(struct pvs_vcpu_account *vcpu, __u32 slot, __u64 now,
                                      __u32 which)
{
	vcpu->exhausted_at_ns = now;
	event_send(slot, PVS_EVENT_EXHAUSTED, which);
}

/*
 * Charges the CPU's bucket and sheet with foreign real time: run time of real-time threads that are
 * not boosted vCPUs. A vCPU that another program gave a real-time class counts as foreign. Foreign
 * time reduces what boosts may take of this CPU.
 */
static __always_inline void foreign_rt(struct task_struct *prev, struct task_struct *next,
                                       const struct pvs_vcpu_account *next_vcpu, __u64 now,
                                       __u32 cpu)
{
	struct pvs_cpu_account *account = bpf_map_lookup_elem(&cpus, &cpu);
	bool ours = next_vcpu && (next_vcpu->flags & PVS_FLAG_BOOSTED);

	if (!account)
		return;
	/*
	 * A thread that was made fair while it ran has left this CPU unseen, at an unknown time.
	 * Others have run since. So only a thread that leaves now is charged: to lose a run is
	 * better than to charge seconds of other threads' time.
	 */
	if (account->rt_since_ns && account->rt_tid == prev->pid)
		cpu_charge(cpu, now, now - account->rt_since_ns, now - account->rt_since_ns, true);
	account->rt_since_ns = next->prio < MAX_RT_PRIO && !ours ? now : 0;
	account->rt_tid = next->pid;
}
