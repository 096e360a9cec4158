/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The agent's loop: descriptors and timers, one thread, no library. A guest that idles is not
 * woken: a timer that is not set costs nothing.
 */

#include "util/base.h"

/** Something that is waited for; its owner keeps it where it is. */
struct event {
	int fd; /* -1: none. The loop's own, for a timer */
	void (*fn)(void *userdata, uint32_t epoll_events);
	void *userdata;
};

#define EVENT_NULL ((struct event){.fd = -1})

struct events {
	int epoll;
	bool end;
	void (*turn)(void *userdata); /* after each turn of events_run(); NULL */
	void *turn_userdata;
	int turn_ms; /* how long a turn waits at most, if there is @turn; -1: for ever */
};

/** Returns 0, or -errno. */
int events_init(struct events *events);
void events_finish(struct events *events);

/** Waits for @epoll_events on @fd, which stays the caller's. Returns 0, or -errno. */
int event_add(struct events *events, struct event *event, int fd, uint32_t epoll_events,
              void (*fn)(void *userdata, uint32_t epoll_events), void *userdata);

/** Changes what is waited for. */
int event_change(struct events *events, struct event *event, uint32_t epoll_events);

/** Waits no longer. Does nothing if it did not. */
void event_remove(struct events *events, struct event *event);

/** Makes a timer, which is not set. Returns 0, or -errno. */
int event_timer(struct events *events, struct event *event,
                void (*fn)(void *userdata, uint32_t epoll_events), void *userdata);

/** Sets a timer to @at_ns of CLOCK_MONOTONIC; NSEC_NEVER: unsets it. */
void event_timer_set(struct event *event, uint64_t at_ns);

/** Reads a timer that was due, so that it is not due any more. */
void event_timer_done(struct event *event);

/** Ends and closes a timer. */
void event_timer_finish(struct events *events, struct event *event);

/**
 * Waits for one event, @timeout_ms at most (-1: for ever), and calls its function. Returns 1; 0:
 * none came; -errno.
 */
int events_turn(struct events *events, int timeout_ms);

/** Waits for events and calls their functions, until events->end. Returns 0, or -errno. */
int events_run(struct events *events);
