/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The booster thread's loop: it waits, and then looks at the guardian, at the tracer's events, at
 * the reader's news of guest pages, at what is due, at the deadlines, and at the main thread's
 * call, in this order.
 */

/** Enough for its deepest call chain; touched at the start, so that it never faults. */
#define BOOSTER_STACK_BYTES (256 * 1024)

/** What it waits for: places in what wait_open() is given. */
enum {
	BOOSTER_WAITS_FOR_CALL,
	BOOSTER_WAITS_FOR_PAGES,
	BOOSTER_WAITS_FOR_EVENTS,
};

/** The thread; @userdata is the struct booster. */
void *booster_main(void *userdata);
