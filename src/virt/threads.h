/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * From a domain's uuid and name to the threads that run it: QEMU, its vCPUs, its helpers. Nothing
 * here talks to libvirt or to QEMU, so nothing here blocks on them and nothing taints the domain.
 */

#include "model/domain.h"
#include "util/base.h"
#include "virt/mapping.h"
#include "virt/vhost.h"

/** More threads of one QEMU than this are not looked at (MAPPING_TRUNCATED). */
#define THREADS_MAX 4096

/**
 * Fills qemu, vcpus and helpers of @domain from its uuid and name; its arrays must be empty.
 * @run_dir  "/run" but in tests
 * @vhosts   kernel threads, see vhost.h; may be empty
 * @notes    gets bits of enum mapping_note
 * Returns 0; -ESRCH when its QEMU is not there (yet, or any more); -EINVAL for a name that libvirt
 * could not have a file for; -ENOMEM.
 */
int threads_scan(struct domain *domain, const char *run_dir, const struct vhost_table *vhosts,
                 unsigned int *notes);

/**
 * The same for a process that libvirt does not vouch for: fills qemu, vcpus and helpers of @domain.
 * Returns 0; -ESRCH when the process is gone; -ENOMEM.
 */
int threads_scan_process(struct domain *domain, const struct process_evidence *process,
                         const struct vhost_table *vhosts, unsigned int *notes);

/**
 * Whether the list of threads of a process differs from the one an earlier call returned: the cheap
 * look before a scan. @mark is 0 at first. A thread's new name or group does not show.
 * Returns 0 when it is the same; THREADS_CHANGED; -ESRCH when the process is gone; -errno.
 */
int threads_changed(const struct thread_id *qemu, uint64_t *mark);

enum {
	THREADS_CHANGED = 1,
};
