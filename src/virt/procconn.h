/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The kernel's process connector, as a hint that a vCPU thread or an iothread was made. QEMU names
 * it "CPU N/KVM" or "IO ...", and a thread's new name is an event. A filter in the kernel drops all
 * other events, so a busy host does not wake us. Events get lost in storms, so the caller must also
 * rescan now and then.
 *
 * For the main thread. Nothing blocks, except procconn_new(), for PROCCONN_PROBE_MS at most.
 */

#include <sys/types.h>

#include "util/base.h"

struct procconn;

#define PROCCONN_PROBE_MS 200

/**
 * Opens it and makes sure that events arrive, by naming a thread of our own.
 * Returns 0 and *ret; -EPERM without CAP_NET_ADMIN; -EPROTONOSUPPORT without CONFIG_PROC_EVENTS;
 * -ENODATA when no event arrived (in a pid or user namespace other than the host's); -errno.
 */
int procconn_new(struct procconn **ret);

/** Closes it. Takes NULL; returns NULL. */
struct procconn *procconn_free(struct procconn *procconn);

/** For CLEANUP(). */
void procconn_cleanup(struct procconn **procconn);

/** For EPOLLIN, level triggered. */
int procconn_fd(const struct procconn *procconn);

/** A thread of process @tgid was named like a vCPU or an iothread. Any process may do that. */
typedef void procconn_fn(void *userdata, pid_t tgid);

enum {
	PROCCONN_LOST = 1, /* events were lost: rescan everything */
};

/**
 * Calls @fn for what has arrived, for PROCCONN_BATCH_MAX events at most.
 * Returns 0; PROCCONN_LOST; -errno when the socket is no longer usable.
 */
int procconn_read(struct procconn *procconn, procconn_fn *fn, void *userdata);

#define PROCCONN_BATCH_MAX 64

/** Number of times that events were lost. */
uint64_t procconn_lost_total(const struct procconn *procconn);
