/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

/*
 * What ran while a vCPU waited: see core/blocker.h. Nothing of it is done while the daemon traces
 * no vCPU's waits, but for one test at a switch.
 */

#include "tables.h"

#include "core/blocker.h"

/* By TID of the vCPU's thread. The daemon makes them, the tracer finds them. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, PVS_TRACES_MAX);
	__type(key, __u32);
	__type(value, struct pvs_wait_trace);
} wait_traces SEC(".maps");

/* By CPU. Likewise. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, PVS_CPUS_MAX);
	__type(key, __u32);
	__type(value, struct pvs_cpu_runs);
} cpu_runs SEC(".maps");

/* Written by the daemon: of so many vCPUs. */
__u32 waits_traced;

static __always_inline bool blockers_wanted(void)
{
	return (parts & PVS_PART_BLOCKERS) && waits_traced;
}

/*
 * The inode of the thread's cgroup in the hierarchy that has the cpu controller. In the unified one
 * that is the thread's own group, also where the controller is on above it only.
 */
static __always_inline __u64 group_of(struct task_struct *p)
{
	struct css_set *groups = p->cgroups;
	struct cgroup *unified = groups->dfl_cgrp, *group;

	if (!bpf_core_enum_value_exists(enum cgroup_subsys_id, cpu_cgrp_id))
		return unified->kn->id;
	group = groups->subsys[bpf_core_enum_value(enum cgroup_subsys_id, cpu_cgrp_id)]->cgroup;
	return group->root == unified->root ? unified->kn->id : group->kn->id;
}

/* At each switch: one run ends, the next one begins. */
static __always_inline void blockers_switch(struct task_struct *next)
{
	__u32 cpu = bpf_get_smp_processor_id();
	struct pvs_cpu_runs *of = bpf_map_lookup_elem(&cpu_runs, &cpu);
	__u64 now = bpf_ktime_get_ns(), n;
	struct pvs_cpu_run *run;

	if (!of)
		return;
	n = of->n;
	if (n)
		of->runs[(n - 1) & (PVS_CPU_RUNS - 1)].until_ns = now;
	run = &of->runs[n & (PVS_CPU_RUNS - 1)];
	__builtin_memset(run, 0, sizeof(*run));
	run->from_ns = now;
	run->runner.tid = next->pid;
	/* idle threads are all the same: none has a name or a group */
	if (next->pid) {
		run->runner.group = group_of(next);
		bpf_core_read_str(run->runner.name, sizeof(run->runner.name), &next->comm);
	}
	of->n = n + 1;
}

/* A run in its place in the list of @cpu took @ns of the wait of the thread @vcpu_tid. */
__noinline int blocker_add(__u32 vcpu_tid, __u32 cpu, __u32 place, __u64 ns)
{
	struct pvs_wait_trace *trace = bpf_map_lookup_elem(&wait_traces, &vcpu_tid);
	struct pvs_cpu_runs *of = bpf_map_lookup_elem(&cpu_runs, &cpu);
	struct pvs_runner runner;

	if (!trace || !of)
		return 0;
	runner = of->runs[place & (PVS_CPU_RUNS - 1)].runner;
	if (runner.tid == vcpu_tid)
		return 0;
	pvs_blockers_add(trace->blockers, &runner, ns);
	pvs_behind_add(&trace->present, &runner, ns);
	return 0;
}

/* Adds all runs on @cpu that lay within a part of the wait. */
__noinline int blockers_add(__u32 vcpu_tid, __u32 cpu, __u64 from, __u64 until)
{
	struct pvs_cpu_runs *of = bpf_map_lookup_elem(&cpu_runs, &cpu);
	__u64 n, ns;

	if (!of)
		return 0;
	n = of->n;
	for (__u32 i = 0; i < PVS_CPU_RUNS; i++) {
		__u32 place = (__u32)(n - 1 - i) & (PVS_CPU_RUNS - 1);
		struct pvs_cpu_run *run = &of->runs[place];

		if (i >= n || (run->until_ns && run->until_ns <= from))
			break;
		ns = pvs_run_within(run, from, until);
		if (ns)
			blocker_add(vcpu_tid, cpu, place, ns);
	}
	return 0;
}

static __always_inline __u64 later(__u64 a, __u64 b)
{
	return a > b ? a : b;
}

/* The vCPU was switched in, and had been runnable since @ready. */
__noinline int blockers_wait_ends(__u32 slot, __u32 cpu, __u64 ready, __u64 now)
{
	struct pvs_vcpu_account *vcpu = bpf_map_lookup_elem(&vcpus, &slot);
	struct pvs_wait_trace *trace;
	__u32 tid;

	if (!vcpu)
		return 0;
	tid = vcpu->tid;
	trace = bpf_map_lookup_elem(&wait_traces, &tid);
	if (!trace)
		return 0;
	blockers_add(tid, cpu, later(ready, trace->moved_ns), now);
	pvs_wait_end(trace, now, now - ready, cpu);
	return 0;
}

/*
 * The vCPU is moved from @cpu, perhaps while it waits there. The kernel holds the lock of that
 * CPU's run queue, or has just woken the thread: then the wait on @cpu was short.
 */
__noinline int blockers_wait_moves(__u32 slot, __u32 cpu)
{
	struct pvs_vcpu_account *vcpu = bpf_map_lookup_elem(&vcpus, &slot);
	__u64 now = bpf_ktime_get_ns(), from;
	struct pvs_wait_trace *trace;
	__u32 tid;

	if (!vcpu)
		return 0;
	tid = vcpu->tid;
	trace = bpf_map_lookup_elem(&wait_traces, &tid);
	from = ready_since(vcpu);
	if (!trace || !from || vcpu->in_ns)
		return 0;
	from = later(from, trace->moved_ns);
	if (now < from + PVS_MOVED_MIN_NS)
		return 0;
	blockers_add(tid, cpu, from, now);
	trace->moved_ns = now;
	return 0;
}
