/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Kernel threads "vhost-PID", which work for QEMU processes. vhost workers are such threads before
 * Linux 6.4, and later if the kernel is told so. They are not in QEMU's thread list, so all of
 * /proc is read, once for all domains.
 */

#include "model/domain.h"
#include "util/base.h"

struct vhost_thread {
	pid_t owner; /* the QEMU process it is named after */
	struct thread_id id;
};

struct vhost_table {
	uint64_t read_ns; /* when it was read; 0: never */
	size_t n, room;
	struct vhost_thread *threads;
};

/**
 * Reads the table again unless it is younger than @max_age_ns. Threads that cannot be read are left
 * out, which is harmless: they are only watched.
 * Returns 0, or -errno with the table empty.
 */
int vhost_table_refresh(struct vhost_table *table, uint64_t now_ns, uint64_t max_age_ns);

/** Empties it. */
void vhost_table_clear(struct vhost_table *table);
