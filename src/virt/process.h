/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Tells without libvirt whether a process is QEMU. It must run an executable that counts as QEMU,
 * or hold a KVM vCPU. And it must belong to a trusted user, since any user can start a QEMU under
 * any name, with any code inside.
 *
 * To read a process's command line touches its memory, and may block for ever: so the
 * reader does that, see virt/cmdline.h.
 */

#include <sys/types.h>

#include "util/base.h"
#include "virt/mapping.h"

#define PROCESS_EXECUTABLES_MAX 16
#define PROCESS_EXECUTABLE_MAX  256 /* bytes with the NUL */
#define PROCESS_USERS_MAX       16

/** Descriptors of one process that are searched for KVM vCPUs. */
#define PROCESS_DESCRIPTORS_MAX 16384

/** The processes that count as QEMU. */
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
	PROCESS_OF_OTHER_USER, /* QEMU of a user that is not trusted */
	PROCESS_FORBIDDEN,     /* named like QEMU, and we may not look (CAP_SYS_PTRACE) */
};

/**
 * Examines a process.
 * @ret  gets id, claims, executable, n_kvm_vcpus and cut; max_vcpus is DOMAIN_VCPUS_MAX
 * Returns 0 when it is QEMU; one of enum process_verdict; -ESRCH when it is gone; -ENOMEM.
 */
int process_examine(pid_t pid, const struct process_criteria *criteria,
                    struct process_evidence *ret);

/** True if a path, with or without " (deleted)" at its end, is one of the executables. */
bool process_is_executable(const struct process_criteria *criteria, const char *path);
