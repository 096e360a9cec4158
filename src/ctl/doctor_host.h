/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Checks of the host as functions of texts: what files of /proc, /sys and /etc say, which
 * doctor_read.c reads. NULL stands for a file that is not there or cannot be read. Pure.
 */

#include <sys/types.h>

#include "ctl/doctor.h"
#include "util/procfs_parse.h"

/** Sets the texts of a check. @check NULL: there was no room for it. */
void doctor_say(struct check *check, const char *format, ...) PRINTF_FORMAT(2, 3);
void doctor_fix(struct check *check, const char *format, ...) PRINTF_FORMAT(2, 3);

/** CONFIG_RT_GROUP_SCHED where no group has a file for its budget: cgroup v2, or switched off. */
struct doctor_rt_group {
	bool compiled;       /* the kernel's BTF has its functions */
	const char *cmdline; /* of the kernel */
	const char *config;  /* the kernel was built with */
};

void doctor_rt_group_sched(struct doctor_report *report, const struct doctor_rt_group *texts);

/** A thread of the host, from its stat file. */
struct doctor_thread {
	pid_t pid, ppid;
	char comm[PROCFS_COMM_MAX];
	bool kernel;
	unsigned int rt_priority; /* 0: it has no real-time class */
};

/** Returns 0, or -EBADMSG. */
int doctor_thread_parse(const char *stat, struct doctor_thread *ret);

/** Kernel threads with a priority of @rt_priority, that of boosts, or above. */
void doctor_kernel_threads(struct doctor_report *report, const struct doctor_thread *threads,
                           size_t n, unsigned int rt_priority);

/**
 * Whether more than one pvschedd runs. A process of it whose parent is one is its own.
 * @answers  the pid of the one that answers pvschedctl; 0: not known
 */
void doctor_other_pvschedd(struct doctor_report *report, const struct doctor_thread *threads,
                           size_t n, pid_t answers);

/**
 * @disabled  kernel.io_uring_disabled
 * @wait      how the booster is configured to wait; "": not known
 */
void doctor_io_uring(struct doctor_report *report, const char *disabled, const char *wait);

/**
 * Security modules.
 * @apparmor  its parameter "enabled"
 * @selinux   its file "enforce"
 * @label     of the daemon, from attr/current; NULL: none runs
 */
void doctor_security(struct doctor_report *report, const char *apparmor, const char *selinux,
                     const char *label);

/**
 * @mountinfo  whole lines
 * @status     the status file of pvschedd, whose privileges count; NULL: none runs
 */
void doctor_hidepid(struct doctor_report *report, const char *mountinfo, const char *status);

/**
 * Core scheduling, which matters where CPUs share a core.
 * @smt        /sys/devices/system/cpu/smt/active
 * @qemu_conf  libvirt's qemu.conf
 * @n_cookies  threads of vCPUs that have a cookie now, of any origin
 */
void doctor_core_scheduling(struct doctor_report *report, const char *smt, const char *qemu_conf,
                            size_t n_cookies);

/** The device by which QEMU gives a guest its vsock. */
struct doctor_node {
	bool present;
	mode_t mode;       /* its permissions */
	const char *group; /* that has it; a name or a number */
};

void doctor_vhost_vsock(struct doctor_report *report, const struct doctor_node *node);
