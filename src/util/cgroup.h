/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The hierarchy of the cpu controller: where it is mounted, small attributes of its groups, and the
 * limits that a group and its ancestors set. Groups are named as in /proc/PID/cgroup: absolute
 * paths within the hierarchy. Paths with ".." (a group outside our cgroup namespace) are refused
 * with -EINVAL.
 */

#include "util/base.h"
#include "util/procfs_parse.h"

#define CGROUP_MOUNT_MAX 256
#define CGROUP_GROUP_MAX 1024

/** The one hierarchy that has the cpu controller. */
struct cgroup_cpu {
	enum procfs_cgroup_kind kind;
	char mount[CGROUP_MOUNT_MAX];
};

/** Outcomes of the two searches. */
enum {
	CGROUP_NOT_FOUND = 1, /* neither the group nor an ancestor matches */
};

/**
 * Finds the hierarchy from /proc/self/mountinfo: v1 where the cpu controller is mounted as v1, else
 * v2. Returns 0; -ENOENT when there is neither; -errno.
 */
int cgroup_cpu_find(struct cgroup_cpu *ret);

/**
 * Reads an attribute that holds one line, without its newline.
 * Returns 0; -ENOENT when the group or the attribute is not there; -EFBIG; -errno.
 */
int cgroup_read(const struct cgroup_cpu *cpu, const char *group, const char *attribute, char *ret,
                size_t size);

/** Reads an attribute that is one integer. Returns like cgroup_read(), or -EBADMSG. */
int cgroup_read_number(const struct cgroup_cpu *cpu, const char *group, const char *attribute,
                       int64_t *ret);

/** Writes an integer. Returns 0, or -errno as the kernel refuses it (-EINVAL, -EBUSY, -EACCES). */
int cgroup_write_number(const struct cgroup_cpu *cpu, const char *group, const char *attribute,
                        int64_t value);

/**
 * Finds the nearest group, from @group itself upwards, that has a CFS quota (v1: cpu.cfs_quota_us
 * of 0 or more; v2: cpu.max other than "max"). Groups without the attribute (the root; kernels
 * without CONFIG_CFS_BANDWIDTH) have none.
 * @found  gets its path
 * Returns 0; CGROUP_NOT_FOUND; -ENOENT when @group itself is gone; -errno.
 */
int cgroup_find_quota(const struct cgroup_cpu *cpu, const char *group, char *found, size_t size);

/**
 * Finds the group that makes the kernel refuse RT policies in @group under CONFIG_RT_GROUP_SCHED:
 * the topmost one, from the root down to @group, whose cpu.rt_runtime_us is 0.
 * Returns like cgroup_find_quota(); always CGROUP_NOT_FOUND on v2, which has no such knob.
 */
int cgroup_rt_refusal(const struct cgroup_cpu *cpu, const char *group, char *found, size_t size);
