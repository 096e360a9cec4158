/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Is this still that thread?
 *
 * The scheduler's system calls take a TID, and the kernel may give a TID to another thread. A boost
 * must not go to that thread, and must not be taken from it. So the identity is proven before and
 * after each call that takes the TID. A thread that has lost its TID never gets it back: if the
 * proof holds after a call, the call was to that thread. If it does not hold, the change is undone.
 *
 * A thread loses its TID in two ways:
 *  - It exits, and is reaped.
 *  - It calls execve(), and is not the leader of its process. Then the leader and all other threads
 *    exit, the caller takes over the leader's TID, and its own TID is free without its own exit.
 *
 * Two proofs tell that the TID has not passed to another thread:
 *
 *  - By a file. An open file of /proc/TID belongs to a thread, not to a TID: reading it fails with
 *    ESRCH for ever once the TID may be reused. A start time that was read while the file still
 *    answered afterwards is that thread's. From then on a proof costs one system call.
 *
 *  - By an epoch (PVS_EPOCH_OVER in core/account.h), without a system call. Both ways begin with an
 *    exit: the thread's, or its leader's. The tracer sees both before a TID is given away, and ends
 *    the epoch in the account of the thread or of its domain. So while both accounts hold the same
 *    epoch, the TID is the thread's. This needs three conditions:
 *     1. No exit began before the tracer tracked the thread. The leader is tracked first, and its
 *        vCPUs join its epoch when they are found alive: see epoch_begin() in trace/registry.c.
 *        A leader that is tracked anew has a new epoch, which proves nothing of vCPUs that joined
 *        an earlier one.
 *     2. The account is about this thread, not about a later one with its TID. The file shows that:
 *        if it answers after the epoch was read, the epoch is this thread's, and is remembered.
 *     3. The tracer was run at the exit. Tracepoints were seen to be missed, for unknown reasons.
 *        So an epoch counts for IDENTITY_BELIEF_NS after the file was read, and no longer.
 *
 * Where a condition does not hold the file is read. The guardian and --restore only read files.
 *
 * After execve() the thread still has its boost, under the leader's TID: see
 * identity_restore_exec().
 */

#include "boost/sched.h"
#include "util/base.h"
#include "util/thread_id.h"

/** For so long an epoch counts after the file was read, should the tracer miss an exit. */
#define IDENTITY_BELIEF_NS NSEC_PER_SEC

/** A thread that is held by its open files. */
struct identity {
	struct thread_id id;
	struct sched_thread thread;
	uint32_t epoch;      /* in which the file answered last; PVS_EPOCH_UNKNOWN: in none */
	uint64_t read_at_ns; /* the file is read again from then on, whatever the epoch says */
};

#define IDENTITY_NULL ((struct identity){.thread = SCHED_THREAD_NULL})

/** Outcome of identity_open() and identity_leader(). */
enum {
	IDENTITY_GONE = 1, /* the thread is gone */
};

/** Takes hold of a thread. Returns 0 and *ret; IDENTITY_GONE; -errno. */
int identity_open(struct identity *ret, const struct thread_id *id);

/** Lets go of it, if it is held. */
void identity_close(struct identity *identity);

/** The TID of the thread's leader. Returns 0 and *ret; IDENTITY_GONE; -errno. */
int identity_leader(const struct identity *identity, pid_t *ret);

/** What proves that the TID is still the thread's. */
enum identity_proof {
	IDENTITY_NONE = 0, /* nothing does: the thread is gone */
	IDENTITY_FILE,
	IDENTITY_EPOCH,
};

/** @epoch: that of the thread's account, read after the call in question: see account_epoch(). */
enum identity_proof identity_prove(struct identity *identity, uint32_t epoch, uint64_t now_ns);

/** Does the thread have what was given to @arg's? Returns 1, 0, or -errno. */
typedef int identity_match_fn(pid_t tid, const void *arg);

/**
 * Finds a thread that was given something and has called execve() since: it has the TID @leader of
 * its process's leader then; 0: that TID must not be looked at. To be called where @id has lost its
 * TID or what was given to it, or may have. The thread is found there if @match says 1 of that TID,
 * @id is no living thread of that process any more, and the process is not younger than @id.
 * Returns 1 and *ret, which sched_close() lets go; 0: there is no such thread; -errno.
 */
int identity_find_exec(const struct thread_id *id, pid_t leader, identity_match_fn *match,
                       const void *arg, struct sched_thread *ret);

/**
 * Gives a boosted thread that has called execve() the state @before: see identity_find_exec().
 * Returns 1; 0: there is no such thread; -errno: it still has the boost.
 */
int identity_restore_exec(const struct thread_id *id, pid_t leader, const struct sched_boost *boost,
                          const struct sched_state *before);
