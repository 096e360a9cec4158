// SPDX-License-Identifier: GPL-2.0-only
/*
 * The host tracer: stamps the switches of registered vCPU threads, charges the buckets with what ran,
 * and wakes the daemon when something must be done. It observes; it changes no thread.
 *
 * Cost to everybody else: two loads and a test per switch (see `listed`), no map look-up.
 */
#include <linux/bpf.h>

#include "kernel.h"

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>

#include "pvsched/trace.h"

char LICENSE[] SEC("license") = "GPL";

#define EEXIST	      17
#define EBUSY	      16
#define CLOCK_MONOTONIC 1
#define NR_IOCTL_X86_64 16
#define MAX_RT_PRIO   100
#define CGROUP_LEVELS 10
#define SAMPLE_NS     2000000 /* the entitlement is measured at most this often per vCPU */

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, PVS_VCPUS_MAX);
	__type(key, __u32);
	__type(value, struct pvs_vcpu_account);
} vcpus SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, PVS_DOMAINS_MAX);
	__type(key, __u32);
	__type(value, struct pvs_domain_account);
} domains SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, PVS_CPUS_MAX);
	__type(key, __u32);
	__type(value, struct pvs_cpu_account);
} cpus SEC(".maps");

/* tid -> slot */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, PVS_VCPUS_MAX);
	__type(key, __u32);
	__type(value, __u32);
} slots SEC(".maps");

struct deadline {
	struct bpf_timer timer;
	__u64 due_ns; /* when it fires; 0: not running */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, PVS_VCPUS_MAX);
	__type(key, __u32);
	__type(value, struct deadline);
} deadlines SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, PVS_EVENTS_BYTES);
} events SEC(".maps");

/* Read by the guardian alone: anything in here means that the daemon does not answer. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} overdue SEC(".maps");

/*
 * One bit for each value of the low 16 bits of a tid: clear means surely not registered. A word of it
 * is loaded at every switch of every thread of the host, so it must be small enough to stay cached.
 */
__u64 listed[1024];

/* Written by the daemon. */
struct pvs_bucket_rule cpu_rule;

/* Written by the tracer: the first failure to start a deadline, a negative errno. */
int deadline_error;
__u64 events_lost;
/* Interrupts injected into any vCPU, also unregistered ones; by KVM tracepoint. */
__u64 injections_total;

static __always_inline bool tid_listed(__u32 tid)
{
	return listed[(tid >> 6) & 1023] & (1ULL << (tid & 63));
}

static __always_inline struct pvs_vcpu_account *vcpu_find(__u32 tid, __u32 *slot)
{
	__u32 *found;

	if (!tid_listed(tid))
		return NULL;
	found = bpf_map_lookup_elem(&slots, &tid);
	if (!found)
		return NULL;
	*slot = *found;
	return bpf_map_lookup_elem(&vcpus, slot);
}

static __always_inline void event_send(struct pvs_vcpu_account *vcpu, __u32 slot, __u32 type,
				       __u32 arg)
{
	struct pvs_event event = {
		.at_ns = bpf_ktime_get_ns(),
		.type = type,
		.slot = slot,
		.tid = vcpu->tid,
		.arg = arg,
	};

	/* Each of these is rare and wanted now: no batching. */
	if (bpf_ringbuf_output(&events, &event, sizeof(event), BPF_RB_FORCE_WAKEUP)) {
		vcpu->events_lost++;
		__sync_fetch_and_add(&events_lost, 1);
	}
}

/* How long of [in_ns, out_ns] the vCPU was elevated. */
static __always_inline __u64 elevated_span(const struct pvs_vcpu_account *vcpu, __u64 in_ns,
					   __u64 out_ns)
{
	__u64 from = in_ns > vcpu->raised_at_ns ? in_ns : vcpu->raised_at_ns;
	__u64 to = out_ns;

	if (!(vcpu->flags & PVS_FLAG_ELEVATED)) {
		/* lowered while it ran: charge what was before */
		if (vcpu->lowered_at_ns <= from)
			return 0;
		if (vcpu->lowered_at_ns < to)
			to = vcpu->lowered_at_ns;
	}
	return to > from ? to - from : 0;
}

static __always_inline void domain_charge(__u32 slot, __u64 now, __u64 charge)
{
	struct pvs_domain_account *domain = bpf_map_lookup_elem(&domains, &slot);

	if (!domain)
		return;
	__sync_fetch_and_add(&domain->used_ns, charge);
	/* Sixteen failures in a row would take sixteen CPUs charging within nanoseconds. */
	for (int i = 0; i < 16; i++) {
		__u64 old = domain->repaid_at_ns;
		__u64 new = pvs_bucket_charge(&domain->rule, old, now, charge);

		if (__sync_val_compare_and_swap(&domain->repaid_at_ns, old, new) == old)
			break;
	}
}

static __always_inline void cpu_charge(__u32 cpu, __u64 now, __u64 charge, bool foreign)
{
	struct pvs_cpu_account *account = bpf_map_lookup_elem(&cpus, &cpu);
	struct pvs_bucket_rule rule = cpu_rule;

	if (!account)
		return;
	account->rt_run_ns += charge;
	if (foreign)
		account->foreign_ns += charge;
	account->repaid_at_ns = pvs_bucket_charge(&rule, account->repaid_at_ns, now, charge);
}

/*
 * What is left to an elevated vCPU that runs since @since: the least of its own, its domain's and its
 * CPU's tokens. The run itself is not charged yet, so it is taken off here.
 */
static __always_inline __s64 tokens_left(const struct pvs_vcpu_account *vcpu, __u64 now,
					 __u64 since, __u32 *which)
{
	__u32 domain_slot = vcpu->domain, cpu = vcpu->cpu;
	struct pvs_domain_account *domain = bpf_map_lookup_elem(&domains, &domain_slot);
	struct pvs_cpu_account *account = bpf_map_lookup_elem(&cpus, &cpu);
	struct pvs_bucket_rule rule = cpu_rule;
	__s64 ran = (__s64)(now - since);
	__s64 left = pvs_bucket_tokens(&vcpu->rule, vcpu->repaid_at_ns, now);
	__s64 other;

	left = pvs_bucket_worth(&vcpu->rule, left, vcpu->entitled_permille);
	*which = PVS_BUCKET_VCPU;
	if (domain) {
		other = pvs_bucket_tokens(&domain->rule, domain->repaid_at_ns, now);
		if (other < left) {
			left = other;
			*which = PVS_BUCKET_DOMAIN;
		}
	}
	if (account) {
		other = pvs_bucket_tokens(&rule, account->repaid_at_ns, now);
		if (other < left) {
			left = other;
			*which = PVS_BUCKET_CPU;
		}
	}
	return left - ran;
}

static int deadline_fired(void *map, int *key, struct deadline *deadline);

static __always_inline void deadline_start(struct deadline *deadline, __u64 now, __u64 delay)
{
	long r;

	if (bpf_timer_set_callback(&deadline->timer, deadline_fired))
		return;
	deadline->due_ns = now + delay;
	r = bpf_timer_start(&deadline->timer, delay, 0);
	if (r) {
		deadline->due_ns = 0;
		deadline_error = (int)r;
	}
}

/* In softirq context when the timer is due: look again, since it was started with an older view. */
static int deadline_fired(void *map, int *key, struct deadline *deadline)
{
	__u32 slot = *key, which;
	struct pvs_vcpu_account *vcpu = bpf_map_lookup_elem(&vcpus, &slot);
	__u64 now = bpf_ktime_get_ns(), in, since;
	__s64 left;

	deadline->due_ns = 0;
	if (!vcpu || !(vcpu->flags & PVS_FLAG_ELEVATED))
		return 0;
	if (vcpu->exhausted_at_ns) {
		/* told, and still elevated */
		if (now - vcpu->exhausted_at_ns >= PVS_OVERDUE_NS) {
			struct pvs_event event = {.at_ns = now, .slot = slot, .tid = vcpu->tid};

			bpf_ringbuf_output(&overdue, &event, sizeof(event), BPF_RB_FORCE_WAKEUP);
			return 0;
		}
		deadline_start(deadline, now, PVS_OVERDUE_NS / 2);
		return 0;
	}
	in = vcpu->in_ns;
	if (!in)
		return 0; /* asleep: the next switch-in starts it anew */
	since = in > vcpu->raised_at_ns ? in : vcpu->raised_at_ns;
	left = tokens_left(vcpu, now, since, &which);
	if (left > PVS_TOKENS_MIN_NS) {
		deadline_start(deadline, now, left);
		return 0;
	}
	vcpu->exhausted_at_ns = now;
	event_send(vcpu, slot, PVS_EVENT_EXHAUSTED, which);
	deadline_start(deadline, now, PVS_OVERDUE_NS);
	return 0;
}

/*
 * The fair share of its CPU that @p would get if it competed there now, in permille: at each level of
 * the cgroup tree its weight against all that is queued. Exact, where a measurement of the past would
 * know nothing of a vCPU that is always boosted. Says also whether any level has a quota.
 */
static __always_inline void entitlement_sample(struct pvs_vcpu_account *vcpu, __u32 slot,
					       struct task_struct *p, __u64 now)
{
	struct sched_entity *se = &p->se;
	__u64 share = 1 << 20;
	__u32 quota = 0, permille;

	if (now - vcpu->sampled_at_ns < SAMPLE_NS)
		return;
	vcpu->sampled_at_ns = now;
	for (int i = 0; i < CGROUP_LEVELS && se; i++) {
		struct cfs_rq *queue = se->cfs_rq, *own = NULL;
		__u64 weight = se->load.weight, total;

		if (!queue)
			break;
		if (bpf_core_field_exists(se->my_q))
			own = se->my_q;
		if (bpf_core_field_exists(queue->runtime_enabled)) {
			if (queue->runtime_enabled)
				quota = 1;
			if (own && own->runtime_enabled)
				quota = 1;
		}
		total = queue->load.weight;
		if (!se->on_rq) {
			/* an idle group's own weight is stale: what it would have is its shares */
			if (own && own->tg)
				weight = own->tg->shares;
			total += weight;
		}
		if (total && weight < total)
			share = share * (weight >> 4) / ((total >> 4) ?: 1);
		se = se->parent;
	}
	permille = (__u32)((share * 1000) >> 20);
	if (permille == 0)
		permille = 1;
	vcpu->entitled_permille =
		vcpu->entitled_permille ? (vcpu->entitled_permille * 3 + permille + 3) / 4 : permille;
	if (quota != vcpu->quota) {
		vcpu->quota = quota;
		event_send(vcpu, slot, PVS_EVENT_QUOTA, quota);
	}
}

/*
 * ksoftirqd has something to do and an elevated vCPU has the CPU. Up to Linux 6.3 no softirq runs on a
 * CPU whose ksoftirqd is runnable, and so neither would our deadline: the daemon must watch this run
 * by a timer of its own.
 */
static __always_inline void softirqd_watch(struct pvs_vcpu_account *vcpu, __u32 slot, __u32 cpu)
{
	struct pvs_cpu_account *account = bpf_map_lookup_elem(&cpus, &cpu);

	if (account && account->softirqd_since_ns)
		event_send(vcpu, slot, PVS_EVENT_SOFTIRQD, 0);
}

static __always_inline void softirqd_switch(struct task_struct *prev, bool prev_runnable,
					    struct task_struct *next, __u64 now, __u32 cpu)
{
	struct pvs_cpu_account *account = bpf_map_lookup_elem(&cpus, &cpu);

	if (!account || !account->softirqd_tid)
		return;
	if (next->pid == account->softirqd_tid)
		account->softirqd_since_ns = 0;
	else if (prev->pid == account->softirqd_tid)
		account->softirqd_since_ns = prev_runnable ? now : 0;
}

/* ksoftirqd is only ever woken on its own CPU. */
static __always_inline void softirqd_waking(struct task_struct *p)
{
	__u32 cpu = bpf_get_smp_processor_id(), slot = 0;
	struct pvs_cpu_account *account = bpf_map_lookup_elem(&cpus, &cpu);
	struct pvs_vcpu_account *vcpu;

	if (!account || p->pid != account->softirqd_tid)
		return;
	account->softirqd_since_ns = bpf_ktime_get_ns();
	vcpu = vcpu_find((__u32)bpf_get_current_pid_tgid(), &slot);
	if (vcpu && (vcpu->flags & PVS_FLAG_ELEVATED) && vcpu->in_ns)
		softirqd_watch(vcpu, slot, cpu);
}

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

/* Observe: would a boost have covered this wake-up? The bucket behaves as it would have. */
static __always_inline void imagine_in(struct pvs_vcpu_account *vcpu, __u64 now)
{
	if (vcpu->empty && vcpu->repaid_at_ns <= now)
		vcpu->empty = 0;
	if (!vcpu->empty && vcpu->out == PVS_OUT_HALTED)
		vcpu->wakeups_imagined++;
}

static __always_inline void imagine_out(struct pvs_vcpu_account *vcpu, __u64 now, __u64 ran)
{
	__s64 left = pvs_bucket_tokens(&vcpu->rule, vcpu->repaid_at_ns, now);
	__u64 used = ran, charge;

	if (vcpu->empty)
		return;
	if (left <= 0)
		used = 0;
	else if (used > (__u64)left)
		used = left;
	charge = used > PVS_CHARGE_MIN_NS ? used : PVS_CHARGE_MIN_NS;
	vcpu->imagined_ns += used;
	vcpu->repaid_at_ns = pvs_bucket_charge(&vcpu->rule, vcpu->repaid_at_ns, now, charge);
	if (used < ran)
		vcpu->empty = 1;
}

static __always_inline void vcpu_in(struct pvs_vcpu_account *vcpu, __u32 slot,
				    struct task_struct *p, __u64 now, __u32 cpu)
{
	struct deadline *deadline;
	__u64 ready = vcpu->out == PVS_OUT_PREEMPTED ? vcpu->out_ns : vcpu->wake_ns;
	__u32 which;
	__s64 left;

	if (ready && ready < vcpu->out_ns)
		ready = vcpu->out_ns; /* woken while it was still going to sleep */
	if (ready && now > ready)
		wait_record(vcpu, now - ready);
	vcpu->cpu = cpu;
	vcpu->switches++;
	entitlement_sample(vcpu, slot, p, now);
	if (vcpu->flags & PVS_FLAG_IMAGINED)
		imagine_in(vcpu, now);
	vcpu->in_ns = now;
	if (!(vcpu->flags & PVS_FLAG_ELEVATED))
		return;

	if (vcpu->out != PVS_OUT_PREEMPTED)
		vcpu->wakeups_elevated++;
	if (p->rt_priority != vcpu->priority && now - vcpu->raised_at_ns > PVS_OVERDUE_NS)
		event_send(vcpu, slot, PVS_EVENT_FOREIGN, p->policy);
	if (vcpu->exhausted_at_ns)
		return; /* told already */
	softirqd_watch(vcpu, slot, cpu);
	left = tokens_left(vcpu, now, now, &which);
	if (left <= PVS_TOKENS_MIN_NS) {
		vcpu->exhausted_at_ns = now;
		event_send(vcpu, slot, PVS_EVENT_EXHAUSTED, which);
		left = PVS_OVERDUE_NS;
	}
	/*
	 * A timer that is due sooner looks for itself and starts again: so a vCPU that wakes a
	 * thousand times a second costs a timer per emptied bucket's time, not one per wake-up.
	 */
	deadline = bpf_map_lookup_elem(&deadlines, &slot);
	if (deadline && !(deadline->due_ns > now && deadline->due_ns <= now + left))
		deadline_start(deadline, now, left);
}

static __always_inline bool is_halt(const struct pvs_vcpu_account *vcpu, struct task_struct *p)
{
#ifdef __TARGET_ARCH_x86
	struct pt_regs *regs;

	if (!(vcpu->flags & PVS_FLAG_KVM))
		return true; /* TCG waits for work in a futex, as it does for its locks */
	regs = (struct pt_regs *)bpf_task_pt_regs((void *)p);
	return BPF_CORE_READ(regs, orig_ax) == NR_IOCTL_X86_64;
#else
	return true;
#endif
}

static __always_inline void vcpu_out(struct pvs_vcpu_account *vcpu, __u32 slot,
				     struct task_struct *p, __u64 now, __u32 cpu, bool asleep)
{
	__u64 in = vcpu->in_ns, ran, used, charge;

	if (in) {
		ran = now > in ? now - in : 0;
		vcpu->run_ns += ran;
		used = elevated_span(vcpu, in, now);
		if (vcpu->flags & PVS_FLAG_IMAGINED) {
			imagine_out(vcpu, now, ran);
		} else if (used) {
			charge = used > PVS_CHARGE_MIN_NS ? used : PVS_CHARGE_MIN_NS;
			cpu_charge(cpu, now, charge, false);
			domain_charge(vcpu->domain, now, charge);
			vcpu->used_ns += used;
			charge = pvs_bucket_price(&vcpu->rule, charge, vcpu->entitled_permille);
			vcpu->repaid_at_ns = pvs_bucket_charge(&vcpu->rule, vcpu->repaid_at_ns, now,
							       charge);
		}
	}
	vcpu->in_ns = 0;
	vcpu->out_ns = now;
	if (!asleep) {
		vcpu->out = PVS_OUT_PREEMPTED;
		vcpu->preemptions++;
		return;
	}
	if (!is_halt(vcpu, p)) {
		vcpu->out = PVS_OUT_BLOCKED;
		return;
	}
	vcpu->out = PVS_OUT_HALTED;
	vcpu->halts++;
	if (vcpu->flags & PVS_FLAG_REPORT_BLOCKED)
		event_send(vcpu, slot, PVS_EVENT_BLOCKED, 0);
}

/*
 * Real-time threads of others, and vCPUs to which somebody else gave a real-time class: their time on
 * this CPU counts against what we may give of it.
 */
static __always_inline void foreign_rt(struct task_struct *next,
				       const struct pvs_vcpu_account *next_vcpu, __u64 now,
				       __u32 cpu)
{
	struct pvs_cpu_account *account = bpf_map_lookup_elem(&cpus, &cpu);
	bool ours = next_vcpu && (next_vcpu->flags & PVS_FLAG_ELEVATED);

	if (!account)
		return;
	if (account->rt_since_ns)
		cpu_charge(cpu, now, now - account->rt_since_ns, true);
	account->rt_since_ns = next->prio < MAX_RT_PRIO && !ours ? now : 0;
}

SEC("tp_btf/sched_switch")
int BPF_PROG(on_switch, bool preempt, struct task_struct *prev, struct task_struct *next,
	     unsigned int prev_state)
{
	struct pvs_vcpu_account *out, *in;
	__u32 out_slot = 0, in_slot = 0, cpu;
	__u64 now;

	if (!tid_listed(prev->pid) && !tid_listed(next->pid) && prev->prio >= MAX_RT_PRIO &&
	    next->prio >= MAX_RT_PRIO)
		return 0;
	out = vcpu_find(prev->pid, &out_slot);
	in = vcpu_find(next->pid, &in_slot);
	now = bpf_ktime_get_ns();
	cpu = bpf_get_smp_processor_id();
	foreign_rt(next, in, now, cpu);
	softirqd_switch(prev, preempt || !prev_state, next, now, cpu);
	if (out)
		vcpu_out(out, out_slot, prev, now, cpu, !preempt && prev_state);
	if (in)
		vcpu_in(in, in_slot, next, now, cpu);
	return 0;
}

SEC("tp_btf/sched_waking")
int BPF_PROG(on_waking, struct task_struct *p)
{
	struct pvs_vcpu_account *vcpu;
	__u32 slot = 0;

	if (!tid_listed(p->pid))
		return 0;
	softirqd_waking(p);
	vcpu = vcpu_find(p->pid, &slot);
	if (!vcpu)
		return 0;
	vcpu->wake_ns = bpf_ktime_get_ns();
	vcpu->wakeups++;
	return 0;
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_fork, struct task_struct *parent, struct task_struct *child)
{
	struct pvs_vcpu_account *vcpu;
	__u32 slot = 0;

	vcpu = vcpu_find(parent->pid, &slot);
	if (vcpu && (vcpu->flags & PVS_FLAG_ELEVATED))
		event_send(vcpu, slot, PVS_EVENT_FORK, child->pid);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit, struct task_struct *p)
{
	struct pvs_vcpu_account *vcpu;
	__u32 slot = 0;

	vcpu = vcpu_find(p->pid, &slot);
	if (vcpu)
		event_send(vcpu, slot, PVS_EVENT_EXIT, 0);
	return 0;
}

static __always_inline void count_injection(void)
{
	struct pvs_vcpu_account *vcpu;
	__u32 slot = 0;

	__sync_fetch_and_add(&injections_total, 1);
	vcpu = vcpu_find((__u32)bpf_get_current_pid_tgid(), &slot);
	if (vcpu)
		vcpu->injections++;
}

/* In the context of the vCPU thread, as it enters the guest with an interrupt. */
SEC("raw_tp/kvm_inj_virq")
int on_inj_virq(void *ctx)
{
	count_injection();
	return 0;
}

/* Instead of it where the hardware injects (APICv, AVIC); in the context of the sender. */
SEC("raw_tp/kvm_apicv_accept_irq")
int on_apicv_accept_irq(void *ctx)
{
	__sync_fetch_and_add(&injections_total, 1);
	return 0;
}

/* Set by the daemon before it runs make_deadline. */
__u32 deadline_slot;

/*
 * Makes the timer of one slot. Run by the daemon from process context, never inside sched_switch:
 * it allocates memory, and that may wake kswapd under the lock that sched_switch holds.
 */
SEC("syscall")
int make_deadline(void *ctx)
{
	__u32 slot = deadline_slot;
	struct deadline *deadline = bpf_map_lookup_elem(&deadlines, &slot);
	long r;

	if (!deadline)
		return -1;
	r = bpf_timer_init(&deadline->timer, &deadlines, CLOCK_MONOTONIC);
	return r == -EEXIST || r == -EBUSY ? 0 : (int)r;
}
