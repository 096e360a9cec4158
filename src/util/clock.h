/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The clock of the daemon: CLOCK_MONOTONIC, which is also what bpf_ktime_get_ns() reads, so
 * that stamps of the tracer and of the daemon can be subtracted. It stands still while the host is
 * suspended. The policy never includes this file: time is a parameter there.
 */

#include <time.h>

#include "util/base.h"

/** CLOCK_MONOTONIC in ns. */
static inline uint64_t clock_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

/** CPU time of the calling thread in ns. */
static inline uint64_t clock_thread_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

/** CPU time of all threads of this process in ns. */
static inline uint64_t clock_process_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}
