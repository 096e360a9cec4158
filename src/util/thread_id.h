/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A thread by its TID and its start time. The kernel gives a TID to another thread once its thread
 * is gone; a thread that got a used TID started later, so its start time tells it apart.
 *
 * Each answer is a snapshot: the thread may exit before the caller reads the result. Code that
 * changes a thread needs more, see boost/identity.h.
 */

#include <sys/types.h>

#include "util/base.h"

struct thread_id {
	pid_t tid;
	uint64_t start_ticks; /* field 22 of /proc/TID/stat: clock ticks since boot */
};

/** True if both are the same thread. */
static inline bool thread_id_equal(const struct thread_id *a, const struct thread_id *b)
{
	return a->tid == b->tid && a->start_ticks == b->start_ticks;
}

/**
 * True if the TID still is that thread's. The thread may have exited: a process keeps its TID until
 * its parent has waited for it.
 */
bool thread_id_is_current(const struct thread_id *id);

/** True if the TID still is that thread's, and the thread has not exited. */
bool thread_id_is_alive(const struct thread_id *id);
