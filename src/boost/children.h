/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Threads that a vCPU's thread made while it was boosted, or had SCHED_RESET_ON_FORK by a slice:
 * they get what they would have inherited. For the main thread: a QEMU can make thousands a second.
 */

#include "boost/ledger.h"
#include "util/base.h"
#include "util/thread_id.h"

/** What that takes the main thread, with which the domain is charged, too: policy/attention.h. */
#define CHILDREN_MEND_NS (20 * NSEC_PER_USEC)

/** Outcome of children_mend(). */
enum {
	CHILD_GONE =
	        1, /* the thread, or its parent, is gone, or is no child of the parent's process */
};

/**
 * @slot    of the parent: its record in the ledger says what it had before its boost
 * @parent  as it was when it was taken on
 * Returns 0, CHILD_GONE, or -errno.
 */
int children_mend(const struct ledger *ledger, unsigned int slot, const struct thread_id *parent,
                  pid_t child);
