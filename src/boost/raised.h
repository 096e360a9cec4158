/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The slots whose threads are elevated, side by side: few of them are at a time, and they are
 * walked through in the middle of what is urgent. All zero: none is.
 *
 * Walked from the last one to the first, the one that is looked at may be dropped, and added again.
 */

#include "core/account.h"
#include "util/base.h"

struct raised {
	unsigned int n;
	uint16_t slots[PVS_VCPUS_MAX];  /* n of them, in no order */
	uint16_t places[PVS_VCPUS_MAX]; /* by slot: index in slots, and 1; 0: not elevated */
};

_Static_assert(PVS_VCPUS_MAX <= UINT16_MAX, "places");

static inline bool raised_has(const struct raised *raised, unsigned int slot)
{
	return raised->places[slot] != 0;
}

/** Adds it, unless it is there. */
static inline void raised_add(struct raised *raised, unsigned int slot)
{
	if (raised_has(raised, slot))
		return;
	raised->slots[raised->n++] = (uint16_t)slot;
	raised->places[slot] = (uint16_t)raised->n;
}

/** Drops it, if it is there: the last one takes its place. */
static inline void raised_drop(struct raised *raised, unsigned int slot)
{
	unsigned int place = raised->places[slot];
	uint16_t last;

	if (!place)
		return;
	last = raised->slots[--raised->n];
	raised->slots[place - 1] = last;
	raised->places[last] = (uint16_t)place;
	raised->places[slot] = 0;
}
