/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

/*
 * Helpers, the threads that work for a domain: whether one waits too long behind a boosted vCPU of
 * its domain on its CPU. vCPUs of other domains do not count: the CPU's cap bounds them, as it does
 * for every thread of the host. If they counted, one VM's I/O could take another VM's boosts away.
 *
 * Switches cost nothing more while no helper waits. A bit in the domain's account says whether one
 * does, in a cache line that is loaded for the domain's bucket anyway. Each helper has its own
 * timer, which looks when the time is over, so no vCPU's deadline is touched from another CPU.
 */

#include "follow.h"
#include "tables.h"

#include "core/helper.h"

#define SLOT_NONE 0xffffffff

static __always_inline struct pvs_domain_account *helper_domain(__u32 helper)
{
	__u32 domain = helper / PVS_HELPERS_OF_DOMAIN;

	return bpf_map_lookup_elem(&domains, &domain);
}

/* A helper exits. Once QEMU's leader has exited, execve() may give its TID to another thread. */
static __always_inline void helper_gone(__u32 helper, __u32 tid)
{
	struct pvs_domain_account *domain = helper_domain(helper);

	if (domain && domain->leader_tid == tid)
		domain->leader_epoch = PVS_EPOCH_OVER;
	bpf_map_delete_elem(&slots, &tid); /* the next thread with this TID is not a helper */
}

static __always_inline bool domain_helpers_wait(__u32 slot)
{
	struct pvs_domain_account *domain;

	if (!(parts & PVS_PART_HELPERS))
		return false;
	domain = bpf_map_lookup_elem(&domains, &slot);
	return domain && domain->helpers_waiting;
}

/* The slot of the boosted vCPU of the helper's domain that runs on @cpu, or SLOT_NONE. */
static __always_inline __u32 helper_hindered_by(__u32 helper, __u32 cpu)
{
	struct pvs_cpu_account *account = bpf_map_lookup_elem(&cpus, &cpu);
	struct pvs_vcpu_account *vcpu;
	__u32 slot = 0;

	if (!account)
		return SLOT_NONE;
	/* rt_tid holds for these: every switch to a real-time or registered thread is seen */
	vcpu = vcpu_find(account->rt_tid, &slot);
	if (!vcpu || !vcpu->in_ns || !(vcpu->flags & PVS_FLAG_BOOSTED) || vcpu->cpu != cpu ||
	    vcpu->domain != helper / PVS_HELPERS_OF_DOMAIN)
		return SLOT_NONE;
	return slot;
}

/* The helper's timer looks in @delay, or sooner. */
static __always_inline void look_start(struct helper_look *look, __u64 now, __u64 delay)
{
	/* full barrier: in_ns is stored before this load */
	__u64 due = __sync_fetch_and_add(&look->due_ns, 0);

	if (due > now && due <= now + delay)
		return; /* the timer looks and starts again by itself */
	look->due_ns = now + delay;
	if (bpf_timer_start(&look->timer, delay, 0))
		look->due_ns = 0;
}

/*
 * The vCPU in @slot runs boosted, perhaps on the CPU where the helper waits. If the helper has
 * waited too long, reports it, once; otherwise its timer looks when it will have.
 */
static __always_inline void helper_watch(__u32 number, __u32 slot, __u64 now)
{
	struct pvs_helper_account *helper = bpf_map_lookup_elem(&helpers, &number);
	struct helper_look *look = bpf_map_lookup_elem(&helper_looks, &number);
	struct pvs_vcpu_account *vcpu = bpf_map_lookup_elem(&vcpus, &slot);
	__u64 delay, since;

	if (!helper || !look || !vcpu || helper->tid == vcpu->tid)
		return;
	since = *(volatile __u64 *)&helper->since_ns; /* one load: the wait may end meanwhile */
	if (!since || helper->cpu != vcpu->cpu || pvs_helper_is_told(helper->told, since))
		return;
	delay = pvs_helper_patience(helper, vcpu, now);
	if (!delay) {
		if (pvs_helper_tell(helper, since))
			event_send(slot, PVS_EVENT_HELPER, number % PVS_HELPERS_OF_DOMAIN);
		return;
	}
	look_start(look, now, delay);
}

/* The helper follows its vCPUs, and waits. */
__noinline int follow_watch(__u32 number, __u64 now)
{
	struct helper_look *look = bpf_map_lookup_elem(&helper_looks, &number);
	__u64 delay = follow_look(number, now);

	if (look && delay)
		look_start(look, now, delay);
	return 0;
}

/* The timer of a helper is due, in softirq context. */
static int helper_looked(void *map, int *key, struct helper_look *look)
{
	__u32 number = *key, slot;
	struct pvs_helper_account *helper = bpf_map_lookup_elem(&helpers, &number);
	struct pvs_domain_account *domain = helper_domain(number);
	__u64 now = bpf_ktime_get_ns();

	/*
	 * The full barrier orders the store of due_ns before the load of in_ns. Either the callback
	 * sees the switch-in of a vCPU, or the switch-in sees that no timer is due.
	 */
	__sync_lock_test_and_set(&look->due_ns, 0);
	if (!helper || !domain || !helper->since_ns)
		return 0;
	if (domain->followers & (1U << (number % PVS_HELPERS_OF_DOMAIN)))
		follow_watch(number, now);
	slot = helper_hindered_by(number, helper->cpu);
	/* SLOT_NONE: the next boosted vCPU that is switched in there looks itself */
	if (slot != SLOT_NONE)
		helper_watch(number, slot, now);
	return 0;
}

__noinline int helper_watch_run(__u32 number, __u32 slot, __u64 now)
{
	if (parts & PVS_PART_HELPERS)
		helper_watch(number, slot, now);
	return 0;
}

/* A boosted vCPU was switched in, and helpers of its domain wait. */
__noinline int helpers_watch(__u32 slot, __u64 now)
{
	struct pvs_vcpu_account *vcpu = bpf_map_lookup_elem(&vcpus, &slot);
	struct pvs_domain_account *domain;
	__u32 domain_slot, waiting;

	if (!vcpu)
		return 0;
	domain_slot = vcpu->domain;
	domain = bpf_map_lookup_elem(&domains, &domain_slot);
	if (!domain)
		return 0;
	waiting = domain->helpers_waiting;
	for (__u32 i = 0; i < PVS_HELPERS_OF_DOMAIN; i++)
		if (waiting & (1U << i))
			helper_watch_run(domain_slot * PVS_HELPERS_OF_DOMAIN + i, slot, now);
	return 0;
}

/* A vCPU of the domain was charged for a run on @cpu: helpers waited there behind that run. */
__noinline int helpers_charge(__u32 domain_slot, __u32 cpu, __u64 until, __u64 charge)
{
	struct pvs_domain_account *domain = bpf_map_lookup_elem(&domains, &domain_slot);
	__u32 waiting;

	if (!domain)
		return 0;
	waiting = domain->helpers_waiting;
	for (__u32 i = 0; i < PVS_HELPERS_OF_DOMAIN; i++) {
		__u32 number = domain_slot * PVS_HELPERS_OF_DOMAIN + i;
		struct pvs_helper_account *helper;

		if (!(waiting & (1U << i)))
			continue;
		helper = bpf_map_lookup_elem(&helpers, &number);
		if (helper)
			pvs_helper_charge(helper, cpu, until, charge);
	}
	return 0;
}

/* The helper is runnable on @cpu and does not run. */
__noinline int helper_waits(__u32 number, __u32 cpu, __u64 now)
{
	struct pvs_helper_account *helper = bpf_map_lookup_elem(&helpers, &number);
	struct pvs_domain_account *domain = helper_domain(number);
	__u32 slot, bit = 1U << (number % PVS_HELPERS_OF_DOMAIN);

	if (!helper || !domain)
		return 0;
	pvs_helper_wait_begin(helper, cpu, now);
	__sync_fetch_and_or(&domain->helpers_waiting, bit);
	/* the daemon has dropped the helper meanwhile: no switch-in would ever end this wait */
	if (!helper->tid) {
		helper->since_ns = 0;
		__sync_fetch_and_and(&domain->helpers_waiting, ~bit);
		return 0;
	}
	if (domain->followers & bit)
		follow_watch(number, now);
	slot = helper_hindered_by(number, cpu);
	if (slot != SLOT_NONE)
		helper_watch_run(number, slot, now);
	return 0;
}

/* The helper was switched in. */
__noinline int helper_runs(__u32 number, __u64 now)
{
	struct pvs_helper_account *helper = bpf_map_lookup_elem(&helpers, &number);
	struct pvs_domain_account *domain = helper_domain(number);

	if (!helper || !domain || !helper->since_ns)
		return 0;
	pvs_helper_wait_end(helper, now);
	__sync_fetch_and_and(&domain->helpers_waiting, ~(1U << (number % PVS_HELPERS_OF_DOMAIN)));
	return 0;
}

/* Which helper a thread is, plus 1; 0: none. @slot and @vcpu are what vcpu_find() returned. */
static __always_inline __u32 helper_of(__u32 slot, const struct pvs_vcpu_account *vcpu)
{
	if (slot >= PVS_VCPUS_MAX)
		return slot - PVS_VCPUS_MAX + 1;
	return vcpu ? vcpu->helper : 0;
}

/* @out and @in: which helpers these are, plus 1; 0: none. */
static __always_inline void helpers_switch(__u32 out, bool out_runnable, __u32 in, __u64 now,
                                           __u32 cpu)
{
	if (!(parts & PVS_PART_HELPERS))
		return;
	if (in)
		helper_runs(in - 1, now);
	/* a helper that was woken while it goes to sleep waits already */
	if (out && out_runnable)
		helper_waits(out - 1, cpu, now);
}

/* @out has left this CPU: if it is a boosted vCPU that halts, its domain may wait for helpers. */
static __always_inline void helpers_call(const struct pvs_vcpu_account *out, __u32 cpu)
{
	if (out->out == PVS_OUT_HALTED && (out->flags & PVS_FLAG_BOOSTED) && !out->helper &&
	    domain_helpers_wait(out->domain))
		followers_call(out->domain, cpu);
}

/*
 * The helper is being woken, on the CPU where it slept. If the kernel chooses another CPU after
 * this, sched_migrate_task says so. A helper that is still queued goes on as if it had not tried to
 * sleep, and does not wait.
 */
static __always_inline void helper_woken(__u32 number, struct task_struct *p)
{
	bool queued;

	if (!(parts & PVS_PART_HELPERS))
		return;
	queued = p->on_rq;
	if (bpf_core_field_exists(p->se.sched_delayed) && p->se.sched_delayed)
		queued = false;
	if (!queued)
		helper_waits(number, p->thread_info.cpu, bpf_ktime_get_ns());
}

static __always_inline void helper_moved(__u32 number, __u32 cpu)
{
	struct pvs_helper_account *helper = bpf_map_lookup_elem(&helpers, &number);

	if (helper && helper->since_ns)
		helper_waits(number, cpu, bpf_ktime_get_ns());
}
