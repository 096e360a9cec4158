/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * How the booster sleeps: until one of a few descriptors is readable or a moment has come, in one
 * system call. By epoll, which is always there; or by io_uring, where the kernel permits it.
 */

#include "util/base.h"

#define WAIT_FDS_MAX 4

/** How it waits. */
enum booster_wait {
	BOOSTER_WAIT_EPOLL,
	BOOSTER_WAIT_IO_URING, /* where it is available, else epoll */
};

/** The one that was measured to be better, see docs/performance.md. */
#define BOOSTER_WAIT_DEFAULT BOOSTER_WAIT_EPOLL

struct wait;

/**
 * For @n_fds descriptors, WAIT_FDS_MAX at most; they must outlive it. It waits by epoll.
 * Returns 0 and *ret, or -errno.
 */
int wait_open(struct wait **ret, const int *fds, unsigned int n_fds);

/** Takes NULL; returns NULL. */
struct wait *wait_close(struct wait *wait);

/**
 * Waits by io_uring from now on. To be called by the thread that will wait.
 * Returns 0, or -errno (-EPERM: forbidden by kernel.io_uring_disabled or by a filter of system
 * calls; -ENOSYS; -EINVAL: older than Linux 6.1): then it waits by epoll, as before.
 */
int wait_use_io_uring(struct wait *wait);

/** False also after io_uring has failed, which ends its use. */
bool wait_uses_io_uring(const struct wait *wait);

/**
 * Sleeps. A descriptor that is readable must be read until it is empty before the next sleep: only
 * what comes later wakes again. Allocates nothing.
 * @deadline_ns  in time of clock_now_ns(); NSEC_NEVER: none. If it is past, the call does not
 * sleep, and tells what is readable now Returns a bit, 1 << place in @fds, for each descriptor that
 * became readable; 0 at the deadline; all bits when the wait failed, so that the caller misses
 * nothing.
 */
uint32_t wait_until(struct wait *wait, uint64_t deadline_ns);
