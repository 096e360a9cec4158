/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Threads of the daemon: signals are for the main thread, and no wait for a thread is endless. */

#include <pthread.h>
#include <signal.h>
#include <time.h>

#include "util/base.h"

/* ThreadSanitizer keeps data of its own at the end of each stack. */
#ifdef __SANITIZE_THREAD__
#define THREAD_STACK_MORE (1024 * 1024)
#else
#define THREAD_STACK_MORE 0
#endif

/** Starts a thread with all signals blocked. @stack_bytes 0: the default. Returns 0, or -errno. */
static inline int thread_begin(pthread_t *ret, size_t stack_bytes, void *(*main)(void *),
                               void *userdata)
{
	pthread_attr_t attributes;
	sigset_t all, old;
	int r;

	pthread_attr_init(&attributes);
	if (stack_bytes)
		pthread_attr_setstacksize(&attributes, stack_bytes + THREAD_STACK_MORE);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(ret, &attributes, main, userdata);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attributes);
	return -r;
}

#ifdef __SANITIZE_THREAD__
/* GCC's ThreadSanitizer does not see joins by CLOCK_MONOTONIC: it would take the thread for alive.
 */
static inline bool thread_join_within(pthread_t thread, uint64_t within_ns)
{
	static const struct timespec nap = {.tv_nsec = NSEC_PER_MSEC};

	for (uint64_t waited_ns = 0; pthread_tryjoin_np(thread, NULL) != 0;) {
		if (waited_ns >= within_ns)
			return false;
		nanosleep(&nap, NULL);
		waited_ns += NSEC_PER_MSEC;
	}
	return true;
}
#else
/** Waits for a thread's end, at most @within_ns. Returns false if it has not ended. */
static inline bool thread_join_within(pthread_t thread, uint64_t within_ns)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	within_ns += (uint64_t)until.tv_nsec;
	until.tv_sec += (time_t)(within_ns / NSEC_PER_SEC);
	until.tv_nsec = (long)(within_ns % NSEC_PER_SEC);
	return pthread_clockjoin_np(thread, NULL, CLOCK_MONOTONIC, &until) == 0;
}
#endif
