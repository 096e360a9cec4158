/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

/*
 * Charges run time to the three buckets, and keeps the timer that reports an empty one of them.
 */

#include "request.h"
#include "softirqd.h"
#include "tables.h"

#define MAX_RT_PRIO 100

static __always_inline void domain_charge(__u32 slot, __u64 until, __u64 charge)
{
	struct pvs_domain_account *domain = bpf_map_lookup_elem(&domains, &slot);

	if (domain)
		pvs_domain_charge(domain, until, charge);
}

/* @ran: the run time, which is what the sheet counts; the charge may be another. */
static __always_inline void cpu_charge(__u32 cpu, __u64 until, __u64 charge, __u64 ran,
                                       bool foreign)
{
	struct pvs_cpu_account *account = bpf_map_lookup_elem(&cpus, &cpu);
	struct pvs_bucket_rule rule = cpu_rule;

	if (!account)
		return;
	pvs_cpu_charge(account, &rule, until, charge, foreign);
	pvs_sheet_charge(&account->sheet, until, ran);
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
 * Starts the vCPU's timer. If the kernel refuses, no timer would end this boost, so its end is
 * reported at once. From Linux 7.0 on, a start with interrupts off is queued. Such a start may fail
 * transiently, and the failure does not predict the next start.
 */
static __always_inline void deadline_start(struct pvs_vcpu_account *vcpu, __u32 slot,
                                           struct deadline *deadline, __u64 now, __u64 delay)
{
	long r;

	deadline->due_ns = now + delay;
	r = bpf_timer_start(&deadline->timer, delay, 0);
	if (!r)
		return;
	deadline->due_ns = 0;
	deadline_error = (int)r;
	__sync_fetch_and_add(&deadlines_refused, 1);
	if (!vcpu->exhausted_at_ns)
		exhausted(vcpu, slot, now, PVS_BUCKET_NONE);
}

/*
 * The end of this boost was reported, and the vCPU is still boosted. PVS_OVERDUE_NS after the
 * report, the guardian is told. The difference is signed, since another CPU may have reported after
 * this one read @now. The daemon may clear the time of the report meanwhile, when it boosts the
 * vCPU anew or has the boost watched again.
 */
static __always_inline void deadline_overdue(struct pvs_vcpu_account *vcpu, __u32 slot,
                                             struct deadline *deadline, __u64 now)
{
	struct pvs_event event = {.at_ns = now, .slot = slot, .tid = vcpu->tid};
	__u64 told = *(volatile __u64 *)&vcpu->exhausted_at_ns; /* one load for both uses */

	if (!told)
		return;
	if ((__s64)(now - told) < (__s64)PVS_OVERDUE_NS)
		deadline_start(vcpu, slot, deadline, now, PVS_OVERDUE_NS / 2);
	else
		bpf_ringbuf_output(&overdue, &event, sizeof(event), BPF_RB_FORCE_WAKEUP);
}

/*
 * The callback starts its timer again, for a vCPU that it saw run since @in (0: not running).
 *
 * Meanwhile the vCPU may have been switched in on another CPU, found no timer due, and started one.
 * The start here may have replaced that timer, and may be due much later. Then the timer looks
 * again soon. The full barrier orders the store of due_ns before the load of in_ns. Either the
 * callback sees the switch-in, or the switch-in sees when this timer is due. A run that is over by
 * now has left its own due_ns.
 */
static __always_inline void deadline_again(struct pvs_vcpu_account *vcpu, __u32 slot,
                                           struct deadline *deadline, __u64 now, __u64 delay,
                                           __u64 in)
{
	__u64 due, in_now;

	deadline_start(vcpu, slot, deadline, now, delay);
	due = __sync_fetch_and_add(&deadline->due_ns, 0);
	in_now = vcpu->in_ns;
	if (due != now + delay || (in_now && in_now != in))
		deadline_start(vcpu, slot, deadline, now, PVS_TOKENS_MIN_NS);
}

/*
 * The timer fired while its vCPU sleeps, boosted. It is started again here, for the run that is
 * expected next, so that the wake-up need not start it. Starting a timer is what takes longest at a
 * wake-up, above all on a virtual machine.
 */
static __always_inline void deadline_ahead(struct pvs_vcpu_account *vcpu, __u32 slot,
                                           struct deadline *deadline, __u64 now)
{
	__u64 next = pvs_rhythm_next(&vcpu->rhythm, now);
	__u32 which;
	__s64 left;

	if (!next)
		return;
	left = tokens_left(vcpu, next, next, &which);
	if (left <= PVS_TOKENS_MIN_NS)
		return;
	deadline_again(vcpu, slot, deadline, now, pvs_rhythm_due(next, left) - now, 0);
}

/*
 * The timer is due, in softirq context. It looks at the buckets again, because it was started with
 * an older view of them.
 */
static int deadline_fired(void *map, int *key, struct deadline *deadline)
{
	__u32 slot = *key, which;
	struct pvs_vcpu_account *vcpu = bpf_map_lookup_elem(&vcpus, &slot);
	__u64 now = bpf_ktime_get_ns(), in, since;
	__s64 left;

	/*
	 * The full barrier orders the store of due_ns before the load of in_ns; deadline_watch()
	 * does the reverse. Either the callback sees the switch-in, or the switch-in sees that no
	 * timer is due.
	 */
	__sync_lock_test_and_set(&deadline->due_ns, 0);
	if (!vcpu)
		return 0;
	if (!(PVS_READ_ACQUIRE(vcpu->flags) & PVS_FLAG_BOOSTED)) {
		vcpu->watched_ns = 0; /* no timer watches this run, even if boosted again */
		return 0;
	}
	if (vcpu->exhausted_at_ns) {
		deadline_overdue(vcpu, slot, deadline, now);
		return 0;
	}
	in = vcpu->in_ns;
	if (!in) {
		since = ready_since(vcpu);
		if (!since) {
			deadline_ahead(vcpu, slot, deadline, now);
			return 0;
		}
		if (now - since >= PVS_UNSEEN_NS)
			exhausted(vcpu, slot, now, PVS_BUCKET_UNSEEN);
		deadline_again(vcpu, slot, deadline, now, PVS_UNSEEN_NS, 0);
		return 0;
	}
	since = pvs_run_boosted_since(in, vcpu->boosted_at_ns);
	left = tokens_left(vcpu, now, since, &which);
	if (left > PVS_TOKENS_MIN_NS) {
		/* a CPU that the vCPU has left is not disturbed before its tokens end */
		if (request_check_running(vcpu, slot, now))
			left = pvs_run_next_look(vcpu, now, left);
		deadline_again(vcpu, slot, deadline, now, left, in);
		return 0;
	}
	exhausted(vcpu, slot, now, which);
	deadline_start(vcpu, slot, deadline, now, PVS_OVERDUE_NS);
	return 0;
}

/* A boosted vCPU was switched in: makes sure that its timer looks at it in time. */
__noinline int deadline_watch(__u32 slot, __u64 now)
{
	struct pvs_vcpu_account *vcpu = bpf_map_lookup_elem(&vcpus, &slot);
	struct deadline *deadline = bpf_map_lookup_elem(&deadlines, &slot);
	__u64 due, delay;
	__u32 which;
	__s64 left;

	if (!vcpu || !deadline)
		return 0;
	vcpu->watched_ns = now;
	softirqd_watch(slot, vcpu->cpu);
	left = tokens_left(vcpu, now, now, &which);
	if (left <= PVS_TOKENS_MIN_NS) {
		exhausted(vcpu, slot, now, which);
		delay = PVS_OVERDUE_NS;
	} else {
		delay = pvs_run_next_look(vcpu, now, left);
	}
	/*
	 * The full barrier below orders the store of in_ns before the load of due_ns.
	 *
	 * A timer that is due sooner is left alone: it looks and starts again by itself. So a vCPU
	 * costs at most one timer per time that it takes to empty its bucket, however often it
	 * wakes. If a vCPU sleeps for longer than that and wakes regularly, deadline_ahead() starts
	 * its timer during its sleep.
	 */
	due = __sync_fetch_and_add(&deadline->due_ns, 0);
	if (due <= now || due > now + delay)
		deadline_start(vcpu, slot, deadline, now, delay);
	return 0;
}

/*
 * A vCPU was switched in, still boosted after its end was reported. The timer that tells the
 * guardian may have failed to start, so it is tried again.
 */
__noinline int overdue_watch(__u32 slot, __u64 now)
{
	struct pvs_vcpu_account *vcpu = bpf_map_lookup_elem(&vcpus, &slot);
	struct deadline *deadline = bpf_map_lookup_elem(&deadlines, &slot);

	if (vcpu && deadline && deadline->due_ns <= now)
		deadline_overdue(vcpu, slot, deadline, now);
	return 0;
}

/*
 * A boosted vCPU was woken on a host where switches go missing: a timer checks that it runs soon.
 */
__noinline int waking_watch(__u32 slot, __u64 now)
{
	struct pvs_vcpu_account *vcpu = bpf_map_lookup_elem(&vcpus, &slot);
	struct deadline *deadline = bpf_map_lookup_elem(&deadlines, &slot);

	if (vcpu && deadline && deadline->due_ns <= now)
		deadline_start(vcpu, slot, deadline, now, PVS_UNSEEN_NS);
	return 0;
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
