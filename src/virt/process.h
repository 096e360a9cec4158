/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Whether a process is a QEMU, without libvirt: it runs an executable that is held to be one, or it
 * holds a KVM vCPU; and it belongs to a user who is believed, since anybody can start a QEMU under
 * any name, with any code inside.
 *
 * Reading a process's command line touches its memory, which may be such that the read never ends:
 * only on a thread that may hang.
 */

#include <sys/types.h>

#include "util/base.h"
#include "virt/mapping.h"

#define PROCESS_EXECUTABLES_MAX 16
#define PROCESS_EXECUTABLE_MAX  256 /* bytes with the NUL */
#define PROCESS_USERS_MAX       16

/** Who is taken for QEMU. */
struct process_criteria {
	size_t n_executables;
	char executables[PROCESS_EXECUTABLES_MAX]
	                [PROCESS_EXECUTABLE_MAX]; /* globs of whole paths */
	size_t n_users;
	uid_t users[PROCESS_USERS_MAX];
};

/** Outcomes of process_examine(), beside 0. */
enum process_verdict {
	PROCESS_OTHER = 1,     /* not QEMU */
	PROCESS_OF_OTHER_USER, /* QEMU, but of a user who is not believed */
	PROCESS_FORBIDDEN,     /* named like QEMU, and we may not look (CAP_SYS_PTRACE) */
};

/**
 * Examines a process.
 * @ret  gets id, claims, executable and n_kvm_vcpus; max_vcpus is DOMAIN_VCPUS_MAX
 * Returns 0 when it is QEMU; one of enum process_verdict; -ESRCH when it is gone; -ENOMEM.
 */
int process_examine(pid_t pid, const struct process_criteria *criteria,
                    struct process_evidence *ret);

/** Whether a path, " (deleted)" behind it or not, is one of the executables. */
bool process_is_executable(const struct process_criteria *criteria, const char *path);
