/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

/*
 * The few kernel types that the tracer reads, as CO-RE declarations. Only the names and types of
 * members count; libbpf finds their offsets in the running kernel's BTF. So the build needs no
 * kernel's BTF.
 */

#include <linux/types.h>
#include <stdbool.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct load_weight {
	unsigned long weight;
};

struct kernfs_node {
	__u64 id; /* the inode of the group's folder */
};

struct cgroup_root;

struct cgroup {
	struct kernfs_node *kn;
	struct cgroup_root *root; /* the hierarchy that it is in */
};

struct cgroup_subsys_state {
	struct cgroup *cgroup;
};

/* Only the name of the enumerator counts. */
enum cgroup_subsys_id {
	cpu_cgrp_id = 1,
};

struct css_set {
	struct cgroup_subsys_state *subsys[16]; /* by enum cgroup_subsys_id */
	struct cgroup *dfl_cgrp;                /* of the unified hierarchy */
};

struct task_group {
	unsigned long shares;
};

struct rq;

struct cfs_rq {
	struct load_weight load;
	struct rq *rq;       /* CONFIG_FAIR_GROUP_SCHED: the run queue of its CPU */
	int runtime_enabled; /* CONFIG_CFS_BANDWIDTH: this group has a quota */
	struct task_group *tg;
};

struct sched_entity {
	struct load_weight load;
	unsigned char on_rq;
	unsigned char sched_delayed; /* since 6.12: the task sleeps and is still queued */
	unsigned char custom_slice;  /* since 6.12: its slice is its own, and not the host's */
	struct sched_entity *parent;
	struct cfs_rq *cfs_rq; /* the queue that this entity is on, or would be on */
	struct cfs_rq *my_q;   /* a group's own queue; NULL for a task */
};

struct uclamp_se {
	unsigned int user_defined: 1;
};

struct thread_info {
	unsigned int cpu;
};

struct task_struct;

struct mm_struct {
	struct task_struct *owner; /* CONFIG_MEMCG */
};

struct task_struct {
	struct thread_info thread_info;
	unsigned int flags;
	unsigned int on_rq; /* a byte since 7.x: CO-RE narrows loads of unsigned members only */
	struct mm_struct *mm;
	int pid;
	int tgid;
	int prio; /* effective: below 100 is real time, deadline or stop */
	unsigned int rt_priority;
	unsigned int policy;
	int static_prio; /* 120 plus the nice value */
	struct sched_entity se;
	struct css_set *cgroups;
	char comm[16];
	struct uclamp_se uclamp_req[2]; /* CONFIG_UCLAMP_TASK: minimum and maximum */
	__u64 timer_slack_ns;
};

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
};

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task; /* NULL: there was no thread, or no more */
};

struct pt_regs {
	unsigned long orig_ax;
};

#pragma clang attribute pop
