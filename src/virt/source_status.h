/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The state of a source's thread. That thread writes it. The main thread can read it even while the
 * other one hangs in a call.
 */

#include <pthread.h>

#include "util/base.h"

/** A call that takes longer is reported as hanging. */
#define SOURCE_STATUS_HANG_NS (3 * NSEC_PER_SEC)

#define SOURCE_STATUS_TEXT 512

struct source_status {
	pthread_mutex_t lock; /* guards the rest */
	bool up;
	uint64_t busy_ns;  /* since when a call has been running; 0: none */
	const char *asked; /* what is called, for messages */
	char text[SOURCE_STATUS_TEXT];
};

#define SOURCE_STATUS_INIT(what)                                                                   \
	((struct source_status){                                                                   \
	        .lock = PTHREAD_MUTEX_INITIALIZER, .asked = (what), .text = "starting"})

/** Sets the text for people; @up: connected. */
void source_status_set(struct source_status *status, bool up, const char *text);

/** Marks the beginning (@now_ns) or the end (0) of calls that may hang. */
void source_status_busy(struct source_status *status, uint64_t now_ns);

/** Describes the state. Returns whether the source is connected and answers. */
bool source_status_describe(struct source_status *status, uint64_t now_ns, char *text, size_t size);
