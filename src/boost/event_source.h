/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Where the booster gets the tracer's events from. Plain data. */

#include "core/account.h"
#include "util/base.h"

typedef void booster_event_fn(void *userdata, const struct pvs_event *event);

enum {
	BOOSTER_MORE_EVENTS = 1,
};

/** All members may be left 0: then there are no events. */
struct booster_source {
	int fd; /* readable when there are events */
	/**
	 * Called by the booster thread: calls @fn for each event that is there.
	 * Returns 0 when these were all; BOOSTER_MORE_EVENTS: there may be more, and it is called
	 * again after a look at commands and timers, without a wait.
	 */
	int (*drain)(void *source, booster_event_fn *fn, void *userdata);
	void *source;
};
