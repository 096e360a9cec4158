/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * How the main thread has a function run on the booster thread, without locks or allocation: one
 * call at a time, posted and waited for, as the kernel's smp_call_function_single().
 */

#include <stdatomic.h>

#include "util/base.h"

/** For so long the main thread waits for the answer. */
#define CALL_TIMEOUT_MS 1000

struct booster;

/** What is run: must not block, allocate or log. Returns 0, an outcome, or -errno. */
typedef int call_fn(struct booster *booster, void *arg);

struct call; /* on the stack of the main thread until it is answered */

struct calls {
	int request_fd; /* eventfd: a call is posted; readable for the booster */
	int reply_fd;   /* eventfd: it is answered */
	_Atomic(struct call *) posted;
};

#define CALLS_NULL ((struct calls){.request_fd = -1, .reply_fd = -1})

/** Returns 0, or -errno; calls_close() is needed after both. */
int calls_init(struct calls *calls);
void calls_close(struct calls *calls);

/**
 * Main thread: has @fn run with @arg, and waits until it has returned.
 * Returns what @fn returned; -ETIMEDOUT: the booster did not answer, or has not answered the call
 * before; -errno.
 */
int calls_run(struct calls *calls, call_fn *fn, void *arg);

/** Booster: runs the call that is posted, if any. */
void calls_serve(struct calls *calls, struct booster *booster);
