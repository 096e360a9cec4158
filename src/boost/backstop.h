/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The backstop of the tracer's deadlines. A BPF timer that was started and does not fire, or fires
 * late since the CPU that has it stands still, is made up for when its vCPU is switched in next;
 * one that spins never is. So whenever the booster is awake, whatever for, it looks at some of the
 * elevated vCPUs; it is never woken for it, and most of them sleep, which costs one load. Pure.
 */

#include "boost/accounts.h"
#include "boost/raised.h"

/** So many are looked at at a time, in turn, and no more often: it is to cost nothing that can be
 * seen, however often the booster is woken and however many are elevated. */
#define BACKSTOP_LOOKS    8
#define BACKSTOP_EVERY_NS NSEC_PER_MSEC

/**
 * Its own bucket is overdrawn by so much: far more than a timer's delay and the way to the booster,
 * so that whoever is found here is one for whom no event came.
 */
#define BACKSTOP_LATE_NS NSEC_PER_MSEC

/** Where the last look ended. All zero: there was none. */
struct backstop {
	uint64_t looked_ns;
	unsigned int turn;
};

/**
 * Goes on where the last look ended.
 * Returns the slot of one that is to be lowered since its tokens ended long ago, or -1.
 */
int backstop_look(struct backstop *backstop, const struct accounts *accounts,
                  const struct raised *raised, uint64_t now_ns);
