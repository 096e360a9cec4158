/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The guardian: a process of its own that gives everything back when the daemon dies or does not
 * answer. It has the ledger, a pidfd of the daemon, and the tracer's ring of overdue boosts. It
 * sleeps until the pidfd or the ring is readable, so it costs nothing while all is well.
 *
 * Its real-time priority is above the booster's, so that it runs also if the booster spins.
 */

#include <sys/types.h>

#include "boost/ledger.h"
#include "util/base.h"

struct guardian;

/**
 * Forks the guardian. Best called before any thread exists; the child only makes system calls.
 * @priority  its SCHED_FIFO priority; if the kernel refuses that, the guardian goes on without
 *            (see guardian_realtime())
 * Returns 0 and *ret, or -errno.
 */
int guardian_start(struct guardian **ret, struct ledger *ledger, uint32_t priority);

/** Has it a real-time priority? Else it may starve, and nothing may be boosted. */
bool guardian_realtime(const struct guardian *guardian);

/** Hands over the tracer's ring of overdue boosts. Returns 0, or -errno. */
int guardian_watch_overdue(struct guardian *guardian, int ring_fd);

/** Asks for an answer, and waits at most 500 ms. Returns 0, -ETIMEDOUT, or -errno. */
int guardian_ping(struct guardian *guardian);

pid_t guardian_pid(const struct guardian *guardian);

/**
 * Tells the guardian to leave, waits for it, frees. It gives back what it finds in the ledger,
 * which is nothing after a clean end. Takes NULL; returns NULL.
 */
struct guardian *guardian_stop(struct guardian *guardian);

/** Frees the object of a guardian that is dead. Takes NULL; returns NULL. */
struct guardian *guardian_forget(struct guardian *guardian);
