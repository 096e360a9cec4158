/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The backstop of the tracer's deadlines. A BPF timer may be started and not fire, or fire late
 * because its CPU stands still. The tracer makes up for that when it sees the vCPU switched in
 * next, but a vCPU that spins is never switched. So each time that the booster is awake for another
 * reason, it looks at some of the boosted vCPUs. Most of them sleep, which costs one load. Pure.
 */

#include "boost/accounts.h"
#include "boost/boosted_slots.h"

/**
 * So many vCPUs are looked at at once, in turn, and not more often than that: this must not cost
 * anything measurable, however often the booster is woken and however many vCPUs are boosted.
 */
#define BACKSTOP_LOOKS    8
#define BACKSTOP_EVERY_NS NSEC_PER_MSEC

/**
 * A vCPU is found when its own bucket is overdrawn by so much: far more than the delay of a timer
 * and of an event on its way to the booster, so no event came for it.
 */
#define BACKSTOP_LATE_NS NSEC_PER_MSEC

/** Where the last look ended. All zero: there was none. */
struct backstop {
	uint64_t looked_ns;
	unsigned int turn;
};

/**
 * Goes on where the last look ended.
 * Returns the slot of a vCPU whose tokens ended long ago, or -1.
 */
int backstop_look(struct backstop *backstop, const struct accounts *accounts,
                  const struct boosted_slots *boosted, uint64_t now_ns);
