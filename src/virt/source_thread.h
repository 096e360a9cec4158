/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The thread of a source of domains: how it starts, is told things, and ends, or is left behind
 * where it hangs. A source embeds one; its memory belongs to the owner and the thread together.
 */

#include <pthread.h>

#include "virt/event_queue.h"
#include "virt/source_status.h"

struct source_thread {
	pthread_t thread;
	struct event_queue *queue;
	struct source_status status;
	int wake_fd; /* eventfd: tells the thread that it was told something */
	char *run_dir;

	pthread_mutex_t lock; /* guards the rest, and what the source is told */
	unsigned int refs;    /* the owner and the thread */
	bool stop;
};

/**
 * All but the thread. @source: a name for what it is about in its status, static; @run_dir: NULL is
 * "/run". Returns 0, or -errno; source_thread_clear() is called in either case.
 */
int source_thread_init(struct source_thread *t, const char *source, const char *run_dir);

/** Frees what it holds, not itself. */
void source_thread_clear(struct source_thread *t);

/**
 * Starts it, @name for people, with all signals blocked: they are the main thread's. @run ends with
 * source_thread_leave(). Returns 0, or -errno.
 */
int source_thread_start(struct source_thread *t, const char *name, void *(*run)(void *),
                        void *userdata);

/** Is it to end? For the thread. */
bool source_thread_stopping(struct source_thread *t);

/** Outcomes: true when both have left: then the caller frees the source. */
bool source_thread_leave(struct source_thread *t);

/**
 * For the owner, who leaves with it: ends the thread. One that hangs is left behind after
 * VIRT_STOP_NS. Outcomes: as source_thread_leave().
 */
bool source_thread_stop(struct source_thread *t);

/** Makes wake_fd readable. */
void source_thread_wake(struct source_thread *t);
