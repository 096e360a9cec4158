/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The guardian: a process of its own that gives everything back when the daemon dies or does not
 * answer. It holds the ledger, a pidfd of the daemon, and the tracer's ring of overdue boosts; it
 * sleeps until one of them has something to say, so it costs nothing while all is well.
 *
 * It has a real-time priority above the booster's, so that a booster that spins cannot keep it off.
 */

#include <sys/types.h>

#include "boost/ledger.h"
#include "util/base.h"

struct guardian;

/**
 * Forks it. Best called before any thread exists; after that the child still only makes system
 * calls.
 * @priority  its SCHED_FIFO priority; where the kernel refuses one it goes on without and says so
 *            (see guardian_realtime())
 * Returns 0 and *ret, or -errno.
 */
int guardian_start(struct guardian **ret, struct ledger *ledger, uint32_t priority);

/** Has it a real-time priority? Else it may be starved, and no boost may be given. */
bool guardian_realtime(const struct guardian *guardian);

/** Hands over the tracer's ring of overdue boosts. Returns 0, or -errno. */
int guardian_watch_overdue(struct guardian *guardian, int ring_fd);

/** Asks whether it is there; waits at most 500 ms. Returns 0, -ETIMEDOUT, or -errno. */
int guardian_ping(struct guardian *guardian);

pid_t guardian_pid(const struct guardian *guardian);

/**
 * Tells it to leave, waits for it, frees. It gives back what it finds in the ledger, which is
 * nothing after a clean end. Takes NULL; returns NULL.
 */
struct guardian *guardian_stop(struct guardian *guardian);

/** Frees what the daemon has of a guardian that is dead already. Takes NULL; returns NULL. */
struct guardian *guardian_forget(struct guardian *guardian);
