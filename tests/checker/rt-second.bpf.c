// SPDX-License-Identifier: GPL-2.0-only
/*
 * The real-time runs of all CPUs, for rt-second. It knows of pvschedd only what a boost looks like:
 * a thread with the name that QEMU gives a vCPU's, real-time priority 1 or 2, and
 * SCHED_RESET_ON_FORK.
 *
 * A thread may be given a class, or lose it, while it runs, and no switch tells. The kernel reports
 * the run time of fair threads (sched_stat_runtime). So the rest of such a run was real time. A
 * boost that begins and ends within one run is not seen; most begin while the vCPU sleeps.
 */
#include <linux/bpf.h>
#include <linux/types.h>
#include <stdbool.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "rt-second.h"

#define CPUS_MAX    1024
#define MAX_RT_PRIO 100
#define BOOST_PRIO  97 /* of priority 2; 98 is priority 1 */

char LICENSE[] SEC("license") = "GPL";

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct thread_info {
	unsigned int cpu;
};

struct task_struct {
	struct thread_info thread_info;
	int pid;
	int prio;
	unsigned int sched_reset_on_fork: 1;
	char comm[16];
};

#pragma clang attribute pop

/* What runs on a CPU; changed under the lock of its run queue alone. */
struct running {
	__u64 in_ns;   /* 0: not known yet */
	__u64 fair_ns; /* of this run, as a fair thread */
	__u32 real_time, boost;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, CPUS_MAX);
	__type(key, __u32);
	__type(value, struct running);
} running SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, RT_RUNS_BYTES);
} runs SEC(".maps");

/* Read at the end. */
__u64 lost;

static __always_inline bool is_real_time(const struct task_struct *p)
{
	return p->prio < MAX_RT_PRIO;
}

static __always_inline bool is_boost(struct task_struct *task)
{
	return is_real_time(task) && task->prio >= BOOST_PRIO &&
	       BPF_CORE_READ_BITFIELD(task, sched_reset_on_fork) && task->comm[0] == 'C' &&
	       task->comm[1] == 'P' && task->comm[2] == 'U' && task->comm[3] == ' ';
}

static __always_inline void tell(__u32 cpu, __u64 from, __u64 to, __u32 boost)
{
	struct rt_run run = {.from_ns = from, .to_ns = to, .cpu = cpu, .boost = boost};

	if (to > from && bpf_ringbuf_output(&runs, &run, sizeof(run), BPF_RB_NO_WAKEUP))
		__sync_fetch_and_add(&lost, 1);
}

static __always_inline void leaves(const struct running *r, struct task_struct *p, __u32 cpu,
                                   __u64 now)
{
	bool ends_real_time = is_real_time(p);
	__u64 ran = now - r->in_ns, fair = r->fair_ns < ran ? r->fair_ns : ran;

	if (!r->in_ns)
		return;
	if (r->real_time && ends_real_time)
		tell(cpu, r->in_ns, now, r->boost);
	else if (r->real_time)
		tell(cpu, r->in_ns, now - fair, r->boost);
	else if (ends_real_time)
		tell(cpu, r->in_ns + fair, now, is_boost(p));
}

SEC("tp_btf/sched_switch")
int BPF_PROG(second_switch, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	__u32 cpu = bpf_get_smp_processor_id();
	struct running *r = bpf_map_lookup_elem(&running, &cpu);
	__u64 now = bpf_ktime_get_ns();

	if (!r)
		return 0;
	leaves(r, prev, cpu, now);
	r->in_ns = now;
	r->fair_ns = 0;
	r->real_time = is_real_time(next);
	r->boost = is_boost(next);
	return 0;
}

SEC("tp_btf/sched_stat_runtime")
int BPF_PROG(second_fair, struct task_struct *p, __u64 runtime)
{
	__u32 cpu = p->thread_info.cpu;
	struct running *r = bpf_map_lookup_elem(&running, &cpu);

	/* some kernels report real-time threads as well */
	if (r && !is_real_time(p))
		r->fair_ns += runtime;
	return 0;
}
