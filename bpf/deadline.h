/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

/*
 * Each host CPU has one timer, its deadline, which looks at the boosted vCPU that runs there and
 * reports the end of its tokens. Only one boosted vCPU runs on a CPU, so one timer serves however
 * many of them share it. A timer that is due sooner than the tokens of the next vCPU end is left
 * alone. So a CPU starts at most one in the time that empties a bucket, however many vCPUs wake on
 * it. Starting a timer is what takes longest at a wake-up, above all on a virtual machine.
 *
 * A deadline is started on its own CPU: at switch-ins, and by its own callback. Before Linux 6.7 a
 * start cannot be pinned, so on an idle CPU the kernel may let the callback run on another one.
 */

#include "budget.h"
#include "request.h"
#include "softirqd.h"
#include "tables.h"

/* How timers are started. Set by make_deadline: BPF_F_TIMER_CPU_PIN, from Linux 6.7 on. */
__u64 deadline_flags;

/*
 * Starts the CPU's timer for the vCPU. If the kernel refuses, no timer would end this boost, so its
 * end is reported at once. From Linux 7.0 on, a start with interrupts off is queued. Such a start
 * may fail transiently, and the failure does not predict the next start.
 */
static __always_inline void deadline_start(struct pvs_vcpu_account *vcpu, __u32 slot,
                                           struct deadline *deadline, __u64 now, __u64 delay)
{
	long r;

	deadline->due_ns = now + delay;
	__sync_fetch_and_add(&deadlines_started, 1);
	r = bpf_timer_start(&deadline->timer, delay, deadline_flags);
	if (!r)
		return;
	deadline->due_ns = 0;
	deadline_error = (int)r;
	__sync_fetch_and_add(&deadlines_refused, 1);
	if (!vcpu->exhausted_at_ns)
		exhausted(vcpu, slot, now, PVS_BUCKET_NONE);
}

/*
 * The end of this boost was reported, and the vCPU is still boosted. Returns when the guardian is
 * to be told, in ns from @now; 0: it has been told.
 */
static __always_inline __u64 overdue_tell(const struct pvs_vcpu_account *vcpu, __u32 slot,
                                          __u64 told, __u64 now)
{
	struct pvs_event event = {.at_ns = now, .slot = slot, .tid = vcpu->tid};
	/* signed, since another CPU may have reported after this one read @now */
	__s64 since = (__s64)(now - told);

	if (since < (__s64)PVS_OVERDUE_NS)
		return since > 0 ? PVS_OVERDUE_NS - (__u64)since : PVS_OVERDUE_NS;
	bpf_ringbuf_output(&overdue, &event, sizeof(event), BPF_RB_FORCE_WAKEUP);
	return 0;
}

/*
 * The callback starts its timer again. It has seen that a boosted vCPU was last switched in here at
 * @in.
 *
 * If the callback runs on another CPU, a vCPU may meanwhile have been switched in on this one, have
 * found no timer due, and have started it. The start here may have replaced that one, and may be
 * due much later. Then the timer looks again soon. The full barrier orders the store of due_ns
 * before the load of in_ns. Either the callback sees the switch-in, or the switch-in sees when this
 * timer is due.
 */
static __always_inline void deadline_again(struct pvs_vcpu_account *vcpu, __u32 slot,
                                           struct deadline *deadline, __u64 now, __u64 delay,
                                           __u64 in)
{
	__u64 due;

	deadline_start(vcpu, slot, deadline, now, delay);
	due = __sync_fetch_and_add(&deadline->due_ns, 0);
	if (due != now + delay || *(volatile __u64 *)&deadline->in_ns != in)
		deadline_start(vcpu, slot, deadline, now, pvs_tokens_min_ns(&prices));
}

/*
 * When a timer for the next run of the vCPU, which sleeps boosted, is due if it is started now, in
 * advance. 0: that is not known, or it sleeps on another CPU.
 */
__noinline __u64 deadline_foreseen(__u32 slot, __u32 cpu, __u64 now)
{
	struct pvs_vcpu_account *vcpu = bpf_map_lookup_elem(&vcpus, &slot);
	__u64 next;
	__u32 which;
	__s64 left;

	if (!vcpu || vcpu->cpu != cpu || vcpu->in_ns || vcpu->exhausted_at_ns ||
	    !(PVS_READ_ACQUIRE(vcpu->flags) & PVS_FLAG_BOOSTED))
		return 0;
	next = pvs_rhythm_next(&vcpu->rhythm, now);
	if (!next)
		return 0;
	left = tokens_left(vcpu, next, next, &which);
	return left > pvs_tokens_min_ns(&prices) ? pvs_rhythm_due(next, left) : 0;
}

/*
 * The timer fired while the vCPU that ran here last sleeps, boosted. It is started again here, for
 * the run that is expected next of those that ran here lately, so that a wake-up need not start it.
 */
static __always_inline void deadline_ahead(struct pvs_vcpu_account *vcpu, __u32 slot,
                                           struct deadline *deadline, __u32 cpu, __u64 now,
                                           __u64 in)
{
	__u64 due = 0, other;
	__u32 of;

	for (int i = 0; i < PVS_LATELY; i++) {
		of = deadline->lately[i];
		other = of ? deadline_foreseen(of - 1, cpu, now) : 0;
		if (other > now && (!due || other < due))
			due = other;
	}
	if (due)
		deadline_again(vcpu, slot, deadline, now, due - now, in);
}

/* The vCPU that was last switched in here, boosted, does not run here as far as can be seen. */
static __always_inline void deadline_left(struct pvs_vcpu_account *vcpu, __u32 slot,
                                          struct deadline *deadline, __u32 cpu, __u64 now, __u64 in)
{
	__u64 since;

	if (vcpu->in_ns || vcpu->exhausted_at_ns)
		return; /* its next switch-in, or that on its present CPU, sees to it */
	since = ready_since(vcpu);
	if (!since) {
		deadline_ahead(vcpu, slot, deadline, cpu, now, in);
		return;
	}
	if (now - since >= PVS_UNSEEN_NS)
		exhausted(vcpu, slot, now, PVS_BUCKET_UNSEEN);
	deadline_again(vcpu, slot, deadline, now, PVS_UNSEEN_NS, in);
}

/* The vCPU was switched in here at @in, and runs boosted. */
static __always_inline void deadline_running(struct pvs_vcpu_account *vcpu, __u32 slot,
                                             struct deadline *deadline, __u64 now, __u64 in)
{
	__u64 told = *(volatile __u64 *)&vcpu->exhausted_at_ns; /* the daemon may clear it */
	__u64 delay;
	__u32 which;
	__s64 left;

	if (told) {
		delay = overdue_tell(vcpu, slot, told, now);
		if (delay)
			deadline_again(vcpu, slot, deadline, now, delay, in);
		return;
	}
	left = tokens_left(vcpu, now, pvs_run_boosted_since(in, vcpu->boosted_at_ns), &which);
	if (left > pvs_tokens_min_ns(&prices)) {
		if (request_check_running(vcpu, slot, now))
			left = pvs_run_next_look(vcpu, now, left);
		deadline_again(vcpu, slot, deadline, now, left, in);
		return;
	}
	exhausted(vcpu, slot, now, which);
	deadline_again(vcpu, slot, deadline, now, PVS_OVERDUE_NS, in);
}

/*
 * The timer is due, in softirq context. It looks at the buckets again, because it was started with
 * an older view of them, and maybe for another vCPU.
 */
static int deadline_fired(void *map, int *key, struct deadline *deadline)
{
	__u32 cpu = *key, slot;
	struct pvs_vcpu_account *vcpu;
	__u64 now = bpf_ktime_get_ns(), in;

	/*
	 * The full barrier orders the store of due_ns before the load of in_ns; deadline_watch()
	 * does the reverse. Either the callback sees the switch-in, or the switch-in sees that no
	 * timer is due.
	 */
	__sync_lock_test_and_set(&deadline->due_ns, 0);
	in = *(volatile __u64 *)&deadline->in_ns;
	slot = *(volatile __u32 *)&deadline->slot;
	if (!in)
		return 0;
	vcpu = bpf_map_lookup_elem(&vcpus, &slot);
	if (!vcpu)
		return 0;
	if (!(PVS_READ_ACQUIRE(vcpu->flags) & PVS_FLAG_BOOSTED)) {
		if (vcpu->in_ns == in)
			vcpu->watched_ns = 0; /* no timer watches this run, even if boosted again */
		return 0;
	}
	if (vcpu->in_ns == in && vcpu->cpu == cpu)
		deadline_running(vcpu, slot, deadline, now, in);
	else
		deadline_left(vcpu, slot, deadline, cpu, now, in);
	return 0;
}

/* The CPU's timer looks in @delay, or sooner. */
static __always_inline void deadline_look(struct pvs_vcpu_account *vcpu, __u32 slot, __u64 now,
                                          __u64 delay, struct deadline *deadline)
{
	__u64 due;

	deadline->slot = slot;
	deadline->lately[slot % PVS_LATELY] = slot + 1;
	*(volatile __u64 *)&deadline->in_ns = now;
	/*
	 * The full barrier orders the stores of in_ns before the load of due_ns. A timer that is
	 * due sooner is left alone: it looks at the vCPU that runs then, and starts again by
	 * itself. If vCPUs sleep for longer than that and wake regularly, deadline_ahead() starts
	 * the timer during their sleep.
	 */
	due = __sync_fetch_and_add(&deadline->due_ns, 0);
	if (due <= now || due > now + delay)
		deadline_start(vcpu, slot, deadline, now, delay);
}

/* A boosted vCPU was switched in: makes sure that its CPU's timer looks at it in time. */
__noinline int deadline_watch(__u32 slot, __u64 now)
{
	struct pvs_vcpu_account *vcpu = bpf_map_lookup_elem(&vcpus, &slot);
	struct deadline *deadline;
	__u32 which, cpu;
	__u64 delay;
	__s64 left;

	if (!vcpu)
		return 0;
	cpu = vcpu->cpu;
	deadline = bpf_map_lookup_elem(&deadlines, &cpu);
	if (!deadline)
		return 0;
	vcpu->watched_ns = now;
	softirqd_watch(slot, cpu);
	left = tokens_left(vcpu, now, now, &which);
	if (left <= pvs_tokens_min_ns(&prices)) {
		exhausted(vcpu, slot, now, which);
		delay = PVS_OVERDUE_NS;
	} else {
		delay = pvs_run_next_look(vcpu, now, left);
	}
	deadline_look(vcpu, slot, now, delay, deadline);
	return 0;
}

/*
 * A vCPU was switched in, still boosted after its end was reported, perhaps on another CPU: this
 * CPU's timer tells the guardian.
 */
__noinline int overdue_watch(__u32 slot, __u64 now)
{
	struct pvs_vcpu_account *vcpu = bpf_map_lookup_elem(&vcpus, &slot);
	struct deadline *deadline;
	__u64 told, delay;
	__u32 cpu;

	if (!vcpu)
		return 0;
	cpu = vcpu->cpu;
	deadline = bpf_map_lookup_elem(&deadlines, &cpu);
	told = *(volatile __u64 *)&vcpu->exhausted_at_ns;
	if (!deadline || !told)
		return 0;
	delay = overdue_tell(vcpu, slot, told, now);
	if (delay)
		deadline_look(vcpu, slot, now, delay, deadline);
	return 0;
}
