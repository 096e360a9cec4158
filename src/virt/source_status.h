/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * How a source's thread stands: written by it, read by the main thread even while it hangs in a
 * call.
 */

#include <pthread.h>

#include "util/base.h"

/** A call that takes longer is reported as hanging. */
#define SOURCE_STATUS_HANG_NS (3 * NSEC_PER_SEC)

struct source_status {
	pthread_mutex_t lock; /* guards the rest */
	bool up;
	uint64_t busy_ns;  /* since when a call has been running; 0: none */
	const char *asked; /* who is called, for people */
	char text[256];
};

#define SOURCE_STATUS_INIT(who)                                                                    \
	((struct source_status){                                                                   \
	        .lock = PTHREAD_MUTEX_INITIALIZER, .asked = (who), .text = "starting"})

/** Sets the text for people; @up when connected. */
void source_status_set(struct source_status *status, bool up, const char *text);

/** Marks the beginning (@now_ns) or the end (0) of calls that may hang. */
void source_status_busy(struct source_status *status, uint64_t now_ns);

/** Returns whether it is connected and answers, and describes it. */
bool source_status_describe(struct source_status *status, uint64_t now_ns, char *text, size_t size);
