/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Finds the threads of a domain by its uuid and name: QEMU, its vCPUs, its helpers. Nothing here
 * calls libvirt or QEMU. So nothing blocks on them, and nothing taints the domain.
 */

#include "model/domain.h"
#include "util/base.h"
#include "virt/cmdline.h"
#include "virt/mapping.h"
#include "virt/vhost.h"

/** More threads of one QEMU than this are not looked at (MAPPING_TRUNCATED). */
#define THREADS_MAX 4096

/**
 * Fills qemu, vcpus and helpers of @domain from its uuid and name; its arrays must be empty.
 * @run_dir  "/run" except in tests
 * @cmdlines of the calling thread
 * @vhosts   kernel threads, see vhost.h; may be empty
 * @notes    gets bits of enum mapping_note
 * Returns 0; -ESRCH when its QEMU is not there (yet, or any more); -EINVAL for a name that libvirt
 * could not have a file for; -ETIMEDOUT, -EBUSY, -EAGAIN: see cmdline_get(); -ENOMEM.
 */
int threads_scan(struct domain *domain, const char *run_dir, struct cmdline_cache *cmdlines,
                 const struct vhost_table *vhosts, unsigned int *notes);

/**
 * The same for a process that libvirt does not vouch for: fills qemu, vcpus and helpers of @domain.
 * Returns 0; -ESRCH when the process is gone; -ENOMEM.
 */
int threads_scan_process(struct domain *domain, const struct process_evidence *process,
                         const struct vhost_table *vhosts, unsigned int *notes);

/**
 * Tells cheaply, before a scan, whether a process's list of threads has changed since the call that
 * set @mark, which is 0 at first. A thread's new name or group does not show.
 * Returns 0 when it is the same; THREADS_CHANGED; -ESRCH when the process is gone; -errno.
 */
int threads_changed(const struct thread_id *qemu, uint64_t *mark);

enum {
	THREADS_CHANGED = 1,
};
