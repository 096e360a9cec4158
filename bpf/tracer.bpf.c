// SPDX-License-Identifier: GPL-2.0-only
/*
 * The host tracer: stamps the switches of registered vCPU threads, charges the buckets with what
 * ran, and wakes the daemon when something must be done. It observes; it changes no thread.
 *
 * Cost to other threads: two loads and two tests per switch (see `listed` and `waits_traced`), no
 * map look-up, but for the time in which a client asks for blockers.
 */
#include "blockers.h"
#include "budget.h"
#include "deadline.h"
#include "entitlement.h"
#include "helpers.h"
#include "inject.h"
#include "levers.h"
#include "relate.h"
#include "request.h"
#include "softirqd.h"
#include "spin.h"
#include "tables.h"
#include "unseen.h"

#include "core/work.h"

char LICENSE[] SEC("license") = "GPL";

#define EEXIST          17
#define EBUSY           16
#define EINVAL          22
#define CLOCK_MONOTONIC 1
#define TIMER_CPU_PIN   2 /* BPF_F_TIMER_CPU_PIN, from Linux 6.7 on */
#define NR_IOCTL_X86_64 16
#define DEFAULT_PRIO    120 /* of nice value 0 */

static __always_inline void wait_record(struct pvs_vcpu_account *vcpu, __u64 wait)
{
	__u64 bucket = pvs_wait_bucket(wait);

	/* keeps the compiler from bounding a copy and indexing with the original */
	asm volatile("" : "+r"(bucket));
	if (bucket < PVS_WAIT_BUCKETS)
		vcpu->wait_counts[bucket]++;
	vcpu->wait_ns += wait;
	if (wait > vcpu->wait_max_ns)
		vcpu->wait_max_ns = wait;
}

/* Every few seconds a vCPU's counters are copied, so that what it did lately can be told. */
__noinline int windows_mark(__u32 slot, __u64 now)
{
	struct pvs_vcpu_account *vcpu = bpf_map_lookup_elem(&vcpus, &slot);
	struct pvs_windows *of = bpf_map_lookup_elem(&windows, &slot);

	if (!vcpu)
		return 0;
	vcpu->mark_due_ns = now + pvs_window_part_ns(0);
	if (!of)
		return 0;
	for (__u32 i = 0; i < PVS_WINDOWS; i++)
		pvs_window_update(&of->windows[i], i, vcpu, now);
	return 0;
}

/* Of some wake-ups their work is kept, so that it can be told which burst and share cover it. */
__noinline int demand_keep(__u32 slot, __u64 now)
{
	struct pvs_vcpu_account *vcpu = bpf_map_lookup_elem(&vcpus, &slot);
	struct pvs_demand *demand = bpf_map_lookup_elem(&demands, &slot);

	if (!vcpu)
		return 0;
	vcpu->demand_due_ns =
	        demand ? pvs_demand_keep(demand, vcpu, now) : now + PVS_DEMAND_EVERY_NS;
	return 0;
}

/* An owner may lower its thread's real-time priority, which changes nothing: sched_has_boost(). */
static __always_inline bool is_foreign(const struct pvs_vcpu_account *vcpu,
                                       const struct task_struct *p)
{
	return p->rt_priority == 0 || p->rt_priority > vcpu->priority;
}

/* @preempts: it runs in place of a thread, and not on an idle CPU. */
static __always_inline void vcpu_in(struct pvs_vcpu_account *vcpu, __u32 slot,
                                    struct task_struct *p, __u64 now, __u32 cpu, bool preempts)
{
	__u64 ready = vcpu->out == PVS_OUT_PREEMPTED ? vcpu->out_ns : vcpu->wake_ns;
	bool moves = vcpu->cpu != cpu;

	if (now >= vcpu->mark_due_ns)
		windows_mark(slot, now);
	if (ready && ready < vcpu->out_ns)
		ready = vcpu->out_ns; /* the thread was woken while it was still going to sleep */
	if (ready && now > ready) {
		wait_record(vcpu, now - ready);
		if (blockers_wanted())
			blockers_wait_ends(slot, cpu, ready, now);
	}
	pvs_work_in(&vcpu->work, ready, now);
	vcpu->cpu = cpu;
	vcpu->switches++;
	if (vcpu->flags & PVS_FLAG_IMAGINED)
		pvs_imagined_in(vcpu, now);
	vcpu->in_ns = now;
	if (vcpu->flags & PVS_FLAG_REPORT_RUN)
		event_send(slot, PVS_EVENT_RUN, 0);
	if (vcpu->out != PVS_OUT_PREEMPTED)
		pvs_rhythm_learn(&vcpu->rhythm, now);
	if (!(PVS_READ_ACQUIRE(vcpu->flags) & PVS_FLAG_BOOSTED))
		return;

	/* not for an unboosted one: when it is boosted, the booster reads where it is */
	if (moves)
		pvs_moved_set(&moved, slot);
	if (vcpu->out != PVS_OUT_PREEMPTED) {
		vcpu->wakeups_boosted++;
		if (preempts && ready && now > ready)
			vcpu->wake_low_ns = pvs_wake_learn(vcpu->wake_low_ns, now - ready);
	}
	if (is_foreign(vcpu, p) && now - vcpu->boosted_at_ns > PVS_OVERDUE_NS)
		event_send(slot, PVS_EVENT_FOREIGN, p->policy);
	if (vcpu->exhausted_at_ns) {
		overdue_watch(slot, now);
		return;
	}
	deadline_watch(slot, now);
	if (domain_helpers_wait(vcpu->domain))
		helpers_watch(slot, now);
}

static __always_inline bool is_halt(const struct pvs_vcpu_account *vcpu, struct task_struct *p)
{
#ifdef __TARGET_ARCH_x86
	struct pt_regs *regs;

	if (!(vcpu->flags & PVS_FLAG_KVM))
		return true; /* TCG waits in a futex both for work and for its locks */
	regs = (struct pt_regs *)bpf_task_pt_regs((void *)p);
	return BPF_CORE_READ(regs, orig_ax) == NR_IOCTL_X86_64;
#else
	return true;
#endif
}

/*
 * Charges the vCPU's bucket and its domain's with @charge, used up until @until, the CPU's with
 * what others lose, and the sheet with @ran.
 */
__noinline int boosted_charge(__u32 slot, __u32 cpu, __u64 until, __u64 charge, __u64 ran)
{
	struct pvs_vcpu_account *vcpu = bpf_map_lookup_elem(&vcpus, &slot), *payer;

	if (!vcpu)
		return 0;
	cpu_charge(cpu, until, pvs_cpu_price(&prices, charge, ran), ran, false);
	domain_charge(vcpu->domain, until, charge);
	if (domain_helpers_wait(vcpu->domain))
		helpers_charge(vcpu->domain, cpu, until, charge);
	payer = vcpu->payer ? payer_of(vcpu) : vcpu;
	if (payer && payer->domain == vcpu->domain)
		pvs_vcpu_charge(payer, until, charge);
	return 0;
}

/* Adds up what ran since the vCPU was switched in, and charges it. */
__noinline int run_charge(__u32 slot, __u64 now, __u32 cpu)
{
	struct pvs_vcpu_account *vcpu = bpf_map_lookup_elem(&vcpus, &slot);
	struct pvs_run run;
	__u64 in, ran;

	if (!vcpu)
		return 0;
	in = vcpu->in_ns;
	if (!in) {
		/* the switch-in was not seen: the vCPU may have run ever since it could */
		in = ready_since(vcpu);
		if (!in)
			return 0;
		vcpu->unseen++;
		unseen_any = 1;
	}
	ran = now > in ? now - in : 0;
	vcpu->run_ns += ran;
	if (vcpu->flags & PVS_FLAG_IMAGINED) {
		pvs_imagined_out(vcpu, now, ran, pvs_charge_min_ns(&prices));
		return 0;
	}
	run = pvs_run_of(vcpu, in, now);
	vcpu->used_ns += run.earlier_ns + run.last_ns;
	if (run.earlier_ns)
		boosted_charge(slot, cpu, pvs_bucket_until(run.earlier_until_ns, now),
		               run.earlier_ns, run.earlier_ns);
	if (run.last_ns)
		boosted_charge(slot, cpu, pvs_bucket_until(run.last_until_ns, now),
		               pvs_run_last_charge(&run, pvs_charge_min_ns(&prices)), run.last_ns);
	return 0;
}

/* The daemon is told, and may boost the thread now: it must know which timer slack to give back. */
static __always_inline void slack_note(struct pvs_vcpu_account *vcpu, struct task_struct *p,
                                       __u64 now)
{
	vcpu->slack_ns = p->timer_slack_ns;
	vcpu->slack_at_ns = now;
}

static __always_inline void vcpu_out(struct pvs_vcpu_account *vcpu, __u32 slot,
                                     struct task_struct *p, __u64 now, __u32 cpu, bool asleep)
{
	if (vcpu->in_ns || (vcpu->flags & PVS_FLAG_BOOSTED))
		run_charge(slot, now, cpu);
	vcpu->preempted_after_ns = vcpu->in_ns && !asleep ? now - vcpu->in_ns : 0;
	if (vcpu->flags & PVS_FLAG_RELATES)
		pvs_relate_ran(vcpu, vcpu->in_ns, now);
	if (vcpu->page_address)
		request_read(slot, now, vcpu->run_ns, asleep);
	if (vcpu->in_ns)
		pvs_work_add(&vcpu->work, now - vcpu->in_ns);
	vcpu->in_ns = 0;
	vcpu->out_ns = now;
	if (!asleep) {
		vcpu->out = PVS_OUT_PREEMPTED;
		vcpu->preemptions++;
		if (vcpu->request.urgency == PVSCHED_URGENCY_URGENT &&
		    (vcpu->flags & PVS_FLAG_REPORT_URGENT)) {
			slack_note(vcpu, p, now);
			event_send(slot, PVS_EVENT_URGENT, 0);
		}
		return;
	}
	if (!is_halt(vcpu, p)) {
		vcpu->out = PVS_OUT_BLOCKED;
		return;
	}
	vcpu->out = PVS_OUT_HALTED;
	vcpu->halts++;
	if (now >= vcpu->demand_due_ns)
		demand_keep(slot, now);
	pvs_work_done(&vcpu->work);
	if (vcpu->flags & PVS_FLAG_REPORT_HALTED) {
		slack_note(vcpu, p, now);
		event_send(slot, PVS_EVENT_HALTED, 0);
	}
	if ((vcpu->flags & PVS_FLAG_BOOSTED) && pvs_work_is_short(vcpu, now))
		event_send(slot, PVS_EVENT_SHORT, 0);
}

SEC("tp_btf/sched_switch")
int BPF_PROG(on_switch, bool preempt, struct task_struct *prev, struct task_struct *next,
             unsigned int prev_state)
{
	struct pvs_vcpu_account *out, *in;
	__u32 out_slot = 0, in_slot = 0, cpu;
	__u64 now;

	if (blockers_wanted())
		blockers_switch(next);
	if (!tid_listed(prev->pid) && !tid_listed(next->pid) && prev->prio >= MAX_RT_PRIO &&
	    next->prio >= MAX_RT_PRIO)
		return 0;
	out = vcpu_find(prev->pid, &out_slot);
	in = vcpu_find(next->pid, &in_slot);
	now = bpf_ktime_get_ns();
	cpu = bpf_get_smp_processor_id();
	foreign_rt(prev, next, in, now, cpu);
	softirqd_switch(prev, preempt || !prev_state, next, now, cpu);
	if (out)
		vcpu_out(out, out_slot, prev, now, cpu, !preempt && prev_state);
	if (in)
		vcpu_in(in, in_slot, next, now, cpu, prev->pid != 0);
	helpers_switch(helper_of(out_slot, out), preempt || !prev_state, helper_of(in_slot, in),
	               now, cpu);
	if (out)
		helpers_call(out, cpu);
	/* last: the verifier would check all that follows on each of its paths */
	if (in)
		entitlement_sample(in, in_slot, next, now);
	return 0;
}

SEC("tp_btf/sched_waking")
int BPF_PROG(on_waking, struct task_struct *p)
{
	struct pvs_vcpu_account *vcpu;
	__u32 slot = 0, helper;

	if (!tid_listed(p->pid))
		return 0;
	softirqd_waking(p);
	vcpu = vcpu_find(p->pid, &slot);
	helper = helper_of(slot, vcpu);
	if (!vcpu) {
		if (helper)
			helper_woken(helper - 1, p);
		return 0;
	}
	vcpu->wake_ns = bpf_ktime_get_ns();
	vcpu->wakeups++;
	if (unseen_any && (PVS_READ_ACQUIRE(vcpu->flags) & PVS_FLAG_BOOSTED) &&
	    !vcpu->exhausted_at_ns)
		unseen_watch(slot, vcpu->wake_ns);
	if (helper)
		helper_woken(helper - 1, p);
	return 0;
}

/*
 * The kernel calls this on each path on which a thread's CPU changes. Migrations are rare next to
 * wake-ups and switches, and expensive anyway.
 */
SEC("tp_btf/sched_migrate_task")
int BPF_PROG(on_migrate, struct task_struct *p, int dest_cpu)
{
	struct pvs_vcpu_account *vcpu;
	__u32 slot = 0, helper;

	if (!tid_listed(p->pid))
		return 0;
	vcpu = vcpu_find(p->pid, &slot);
	helper = helper_of(slot, vcpu);
	if (vcpu && blockers_wanted())
		blockers_wait_moves(slot, p->thread_info.cpu);
	if ((parts & PVS_PART_HELPERS) && helper)
		helper_moved(helper - 1, (__u32)dest_cpu);
	return 0;
}

/*
 * A child has what its parent had when the kernel copied that. If the boost has ended since, only
 * the child tells: it lacks what its parent has, which SCHED_RESET_ON_FORK has taken.
 */
static __always_inline bool lacks(struct task_struct *child, struct task_struct *parent)
{
	return child->static_prio != parent->static_prio || child->policy != parent->policy ||
	       child->timer_slack_ns != parent->timer_slack_ns;
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_fork, struct task_struct *parent, struct task_struct *child)
{
	struct pvs_vcpu_account *vcpu;
	__u32 slot = 0;

	vcpu = vcpu_find(parent->pid, &slot);
	if (vcpu &&
	    ((vcpu->flags & PVS_FLAG_BOOSTED) ||
	     ((vcpu->flags & PVS_FLAG_RESETS_FORKS) && parent->static_prio < DEFAULT_PRIO) ||
	     lacks(child, parent)))
		event_send(slot, PVS_EVENT_FORK, child->pid);
	return 0;
}

/* Runs in the context of the exiting thread, which keeps its TID until it is reaped. */
SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit, struct task_struct *p)
{
	struct pvs_vcpu_account *vcpu;
	__u32 slot = 0, tid = p->pid;

	vcpu = vcpu_find(tid, &slot);
	if (vcpu) {
		vcpu->epoch = PVS_EPOCH_OVER;
		event_send(slot, PVS_EVENT_EXIT, 0);
	} else if (slot >= PVS_VCPUS_MAX) {
		helper_gone(slot - PVS_VCPUS_MAX, tid);
	}
	return 0;
}

/*
 * A thread that was not the leader of its process has called execve(), and has the leader's TID
 * now. Another thread may have its former TID already. All other threads of the process have exited
 * before that.
 */
SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct *p, int tid_before)
{
	struct pvs_vcpu_account *vcpu;
	__u32 slot = 0;

	if (p->pid == tid_before)
		return 0;
	vcpu = vcpu_find(tid_before, &slot);
	if (!vcpu)
		return 0;
	vcpu->epoch = PVS_EPOCH_OVER;
	event_send(slot, PVS_EVENT_EXEC, p->pid);
	return 0;
}

/* Set by the daemon before it runs make_deadline, make_unseen_look or make_helper_look. */
__u32 deadline_cpu;
__u32 unseen_slot;
__u32 helper_slot;

/* A timer that an earlier thread of the slot has left is used as it is. */
static __always_inline bool timer_is_made(long r)
{
	return !r || r == -EEXIST || r == -EBUSY;
}

/*
 * Makes the timer of one CPU. The daemon runs this from process context, never inside sched_switch:
 * it allocates memory, and that may wake kswapd under the lock that sched_switch holds. The
 * callback is set here, too: that takes references on a program, with atomic operations, which a
 * start in sched_switch need not repeat.
 *
 * The timer is started once, to see whether this kernel can pin it. No vCPU was switched in there
 * yet, so its callback does nothing.
 */
SEC("syscall")
int make_deadline(void *ctx)
{
	__u32 cpu = deadline_cpu;
	struct deadline *deadline = bpf_map_lookup_elem(&deadlines, &cpu);
	long r;

	if (!deadline)
		return -1;
	r = bpf_timer_init(&deadline->timer, &deadlines, CLOCK_MONOTONIC);
	if (!timer_is_made(r))
		return (int)r;
	r = bpf_timer_set_callback(&deadline->timer, deadline_fired);
	if (r)
		return (int)r;
	r = bpf_timer_start(&deadline->timer, 0, TIMER_CPU_PIN);
	if (!r)
		deadline_flags = TIMER_CPU_PIN;
	return r == -EINVAL ? 0 : (int)r;
}

/* Makes the timer of one vCPU, in the same way. */
SEC("syscall")
int make_unseen_look(void *ctx)
{
	__u32 slot = unseen_slot;
	struct unseen_look *look = bpf_map_lookup_elem(&unseen_looks, &slot);
	long r;

	if (!look)
		return -1;
	r = bpf_timer_init(&look->timer, &unseen_looks, CLOCK_MONOTONIC);
	if (!timer_is_made(r))
		return (int)r;
	return (int)bpf_timer_set_callback(&look->timer, unseen_looked);
}

/* Makes the timer of one helper, in the same way. */
SEC("syscall")
int make_helper_look(void *ctx)
{
	__u32 number = helper_slot;
	struct helper_look *look = bpf_map_lookup_elem(&helper_looks, &number);
	long r;

	if (!look)
		return -1;
	r = bpf_timer_init(&look->timer, &helper_looks, CLOCK_MONOTONIC);
	if (!timer_is_made(r))
		return (int)r;
	return (int)bpf_timer_set_callback(&look->timer, helper_looked);
}
