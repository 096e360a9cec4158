/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

/*
 * Charging what ran to the three buckets, and the timer that speaks when one of them is empty.
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

static __always_inline void cpu_charge(__u32 cpu, __u64 until, __u64 charge, bool foreign)
{
	struct pvs_cpu_account *account = bpf_map_lookup_elem(&cpus, &cpu);
	struct pvs_bucket_rule rule = cpu_rule;

	if (account)
		pvs_cpu_charge(account, &rule, until, charge, foreign);
}

/* What is left to a boosted vCPU that runs since @since. */
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
 * A boost whose end nothing would see ends now. From Linux 7.0 on a start with interrupts off is
 * queued: it may fail for a moment, and says nothing about the next one.
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
 * Told, and still boosted: after a while the guardian is told. @now may be older than the time of
 * the telling, by another CPU; and that time is cleared when the boost ends or is watched anew.
 */
static __always_inline void deadline_overdue(struct pvs_vcpu_account *vcpu, __u32 slot,
                                             struct deadline *deadline, __u64 now)
{
	struct pvs_event event = {.at_ns = now, .slot = slot, .tid = vcpu->tid};
	__u64 told = *(volatile __u64 *)&vcpu->exhausted_at_ns; /* one look for both uses */

	if (!told)
		return;
	if ((__s64)(now - told) < (__s64)PVS_OVERDUE_NS)
		deadline_start(vcpu, slot, deadline, now, PVS_OVERDUE_NS / 2);
	else
		bpf_ringbuf_output(&overdue, &event, sizeof(event), BPF_RB_FORCE_WAKEUP);
}

/*
 * The callback starts its timer again, for a vCPU that it saw run since @in (0: not running). One
 * that was switched in meanwhile, elsewhere, saw no timer and started one, for which ours may have
 * been taken, however much later that is: then look soon. A full barrier: either we see the
 * switch-in here, or it sees when ours is due; and one that is over by now has left its own time.
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
 * It sleeps, boosted, and its timer has fired for nothing. It is started again here, for the run
 * that will follow, so that the next wake-up need not: starting a timer is what takes longest
 * there, on a virtual machine above all.
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

/* In softirq context when the timer is due: look again, since it was started with an older view. */
static int deadline_fired(void *map, int *key, struct deadline *deadline)
{
	__u32 slot = *key, which;
	struct pvs_vcpu_account *vcpu = bpf_map_lookup_elem(&vcpus, &slot);
	__u64 now = bpf_ktime_get_ns(), in, since;
	__s64 left;

	/* a full barrier: either we see the switch-in, or it sees that no timer is due (vcpu_in())
	 */
	__sync_lock_test_and_set(&deadline->due_ns, 0);
	if (!vcpu)
		return 0;
	if (!(vcpu->flags & PVS_FLAG_BOOSTED)) {
		vcpu->watched_ns = 0; /* nobody looks any more, also if it is boosted again */
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
	since = in > vcpu->boosted_at_ns ? in : vcpu->boosted_at_ns;
	left = tokens_left(vcpu, now, since, &which);
	if (left > PVS_TOKENS_MIN_NS) {
		/* a CPU that it has left is not disturbed for it more often than it must be */
		if (request_check_running(vcpu, slot, now))
			left = pvs_run_next_look(vcpu, now, left);
		deadline_again(vcpu, slot, deadline, now, left, in);
		return 0;
	}
	exhausted(vcpu, slot, now, which);
	deadline_start(vcpu, slot, deadline, now, PVS_OVERDUE_NS);
	return 0;
}

/* A boosted vCPU was switched in: when must somebody look? */
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
	 * A timer that is due sooner looks for itself and starts again: so a vCPU costs at most a
	 * timer per time it takes to empty its bucket, however often it wakes. One that sleeps for
	 * longer than that has it started in its sleep, by deadline_ahead(), if it wakes regularly.
	 */
	due = __sync_fetch_and_add(&deadline->due_ns, 0); /* a full barrier after in_ns */
	if (due <= now || due > now + delay)
		deadline_start(vcpu, slot, deadline, now, delay);
	return 0;
}

/*
 * A vCPU that was told of was switched in, boosted still. Its timer, which tells the guardian when
 * that lasts too long, could perhaps not be started: it is tried again.
 */
__noinline int overdue_watch(__u32 slot, __u64 now)
{
	struct pvs_vcpu_account *vcpu = bpf_map_lookup_elem(&vcpus, &slot);
	struct deadline *deadline = bpf_map_lookup_elem(&deadlines, &slot);

	if (vcpu && deadline && deadline->due_ns <= now)
		deadline_overdue(vcpu, slot, deadline, now);
	return 0;
}

/* A boosted vCPU was woken, on a host where its switch-in may go unseen. */
__noinline int waking_watch(__u32 slot, __u64 now)
{
	struct pvs_vcpu_account *vcpu = bpf_map_lookup_elem(&vcpus, &slot);
	struct deadline *deadline = bpf_map_lookup_elem(&deadlines, &slot);

	if (vcpu && deadline && deadline->due_ns <= now)
		deadline_start(vcpu, slot, deadline, now, PVS_UNSEEN_NS);
	return 0;
}

/*
 * Real-time threads of others, and vCPUs to which somebody else gave a real-time class: their time
 * on this CPU counts against what we may give of it.
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
	 * One that was made fair while it ran left its CPU unseen: when is not known, and the time
	 * since is not its own. Better nothing than seconds of others' time.
	 */
	if (account->rt_since_ns && account->rt_tid == prev->pid)
		cpu_charge(cpu, now, now - account->rt_since_ns, true);
	account->rt_since_ns = next->prio < MAX_RT_PRIO && !ours ? now : 0;
	account->rt_tid = next->pid;
}
