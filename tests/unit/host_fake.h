/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* What the inventory asks of the host: no group has a CFS quota, every thread has one affinity. */

#include <stdio.h>

#include "boost/sched.h"
#include "util/cgroup.h"

/** CPUs 0 to 63 of every thread's affinity, as bits. */
static uint64_t host_fake_cpus = 1;

int cgroup_find_quota(const struct cgroup_cpu *cpu, const char *group, char *found, size_t size)
{
	(void)cpu;
	(void)group;
	(void)found;
	(void)size;
	return CGROUP_NOT_FOUND;
}

int cgroup_locate(const struct cgroup_cpu *cpu, enum procfs_cgroup_kind kind, const char *group,
                  char *ret)
{
	(void)cpu;
	(void)kind;
	snprintf(ret, CGROUP_GROUP_MAX, "%s", group);
	return 0;
}

int sched_get_cpus(pid_t tid, struct cpu_set_bits *ret)
{
	(void)tid;
	*ret = CPU_SET_BITS_NULL;
	ret->words[0] = host_fake_cpus;
	return 0;
}
