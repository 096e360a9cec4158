/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The thread of a source of domains: it starts, takes orders and ends, or is left behind if it
 * hangs. A source embeds this struct. The owner and the thread hold the memory together.
 */

#include <pthread.h>

#include "virt/event_queue.h"
#include "virt/source_status.h"

struct source_thread {
	pthread_t thread;
	struct event_queue *queue;
	struct source_status status;
	int wake_fd; /* eventfd: wakes the thread for new orders */
	char *run_dir;

	pthread_mutex_t lock; /* guards the rest, and the source's orders */
	unsigned int refs;    /* the owner and the thread */
	bool stop;
};

/**
 * Initialises all but the thread.
 * @source   what is called, for the status; static
 * @run_dir  NULL: "/run"
 * Returns 0, or -errno. Call source_thread_clear() in either case.
 */
int source_thread_init(struct source_thread *t, const char *source, const char *run_dir);

/** Frees what it holds, not itself. */
void source_thread_clear(struct source_thread *t);

/**
 * Starts the thread, named @name, with all signals blocked: they are for the main thread. @run must
 * end with source_thread_leave(). Returns 0, or -errno.
 */
int source_thread_start(struct source_thread *t, const char *name, void *(*run)(void *),
                        void *userdata);

/** For the thread: true if it must end. */
bool source_thread_stopping(struct source_thread *t);

/** Drops one reference. Returns true if both are gone: then the caller frees the source. */
bool source_thread_leave(struct source_thread *t);

/**
 * For the owner: ends the thread and drops the owner's reference. A thread that hangs is left
 * behind after VIRT_STOP_NS. Returns as source_thread_leave() does.
 */
bool source_thread_stop(struct source_thread *t);

/** Makes wake_fd readable. */
void source_thread_wake(struct source_thread *t);
