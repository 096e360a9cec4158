/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The hierarchy of the cpu controller: where it is mounted, small attributes of its groups, and the
 * limits that a group and its ancestors set. A group is named by its path below the mount point.
 * That is the one in /proc/PID/cgroup, but for a process in a cgroup namespace of its own: see
 * cgroup_locate(). Paths with ".." are refused with -EINVAL.
 */

#include "util/base.h"
#include "util/procfs_parse.h"

#define CGROUP_MOUNT_MAX PROCFS_MOUNT_MAX
#define CGROUP_GROUP_MAX 1024

/** The one hierarchy that has the cpu controller. */
struct cgroup_cpu {
	enum procfs_cgroup_kind kind;
	unsigned int levels_up; /* see struct procfs_cgroup_mount */
	char mount[CGROUP_MOUNT_MAX];
};

/** Outcomes of the two searches. */
enum {
	CGROUP_NOT_FOUND = 1, /* neither the group nor an ancestor matches */
};

/**
 * Finds the hierarchy from /proc/self/mountinfo: v1 where the cpu controller is mounted as v1, else
 * v2. However many mounts there are, all are looked at.
 * Returns 0; -ENOENT when there is neither; -ENAMETOOLONG for a mount point; -errno.
 */
int cgroup_cpu_find(struct cgroup_cpu *ret);

/** The same from another file, for tests. */
int cgroup_cpu_find_in(const char *mountinfo, struct cgroup_cpu *ret);

/**
 * Translates a group's name in /proc/PID/cgroup into its path below the mount point.
 * @ret  CGROUP_GROUP_MAX bytes
 * Returns 0; -EXDEV when the mount does not show it: it is in another hierarchy, or outside what
 * our cgroup namespace lets be named.
 */
int cgroup_locate(const struct cgroup_cpu *cpu, enum procfs_cgroup_kind kind, const char *group,
                  char *ret);

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
