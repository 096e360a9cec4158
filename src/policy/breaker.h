/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The circuit breaker of the host: it stops all boosts where something else than the daemon had to
 * end them too often. Pure; times are CLOCK_MONOTONIC.
 *
 *   CLOSED ──3 unclean ends, or 20 acts of the guardian, in ten minutes──► OPEN
 *   OPEN ──ten minutes without boosts; twice as long each time in a row──► HALF_OPEN
 *   HALF_OPEN ──one unclean end, or 20 acts──► OPEN
 *   HALF_OPEN ──ten minutes without──► CLOSED
 *
 * An end is unclean if the daemon was killed, crashed, or ended itself since its booster did not
 * answer. An act of the guardian that the booster itself reports is less: the booster was late by
 * ten milliseconds and lives. A host that stands still does that (steal time, a long interrupt, a
 * frozen cgroup, suspend), and no daemon can prevent it.
 */

#include "util/base.h"

#define BREAKER_ENDS      3
#define BREAKER_ACTS      20
#define BREAKER_WINDOW_NS (600 * NSEC_PER_SEC)
/** How often the quiet time doubles at most: 80 minutes. */
#define BREAKER_DOUBLINGS_MAX 3U

enum breaker_state {
	BREAKER_CLOSED,
	BREAKER_OPEN,      /* nothing is boosted */
	BREAKER_HALF_OPEN, /* vCPUs are boosted, on probation */
};

struct breaker {
	enum breaker_state state;
	uint32_t opened;                /* so often in a row */
	uint64_t since_ns;              /* in this state; 0: from the start */
	uint64_t ends_ns[BREAKER_ENDS]; /* the latest first; 0: none */
	uint64_t acts_ns[BREAKER_ACTS];
};

/** Counts an unclean end. Returns true if that opened it. */
bool breaker_count_end(struct breaker *breaker, uint64_t now_ns);

/** Counts an act of the guardian. Returns true if that opened it. */
bool breaker_count_act(struct breaker *breaker, uint64_t now_ns);

/** Goes on by time alone. Returns true if the state is another one now. */
bool breaker_look(struct breaker *breaker, uint64_t now_ns);

/** When breaker_look() has something to do; NSEC_NEVER: it has not. */
uint64_t breaker_next_ns(const struct breaker *breaker);

/** Minutes until then, rounded up; 0: that is past, or never comes. */
unsigned int breaker_minutes_left(const struct breaker *breaker, uint64_t now_ns);

/** How many of each there were in the last ten minutes, as far as they are kept. */
unsigned int breaker_recent_ends(const struct breaker *breaker, uint64_t now_ns);
unsigned int breaker_recent_acts(const struct breaker *breaker, uint64_t now_ns);

/** "closed", "open", "half-open". */
const char *breaker_state_name(enum breaker_state state);
