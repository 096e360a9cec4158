/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Which of a fixed number of places are in use: a bitmap. */

#include "util/base.h"

#define SLOT_NONE UINT32_MAX

/** Takes the lowest free one of @n (a multiple of 64), or SLOT_NONE. */
static inline unsigned int slot_take(uint64_t *bitmap, unsigned int n)
{
	for (unsigned int word = 0; word < n / 64; word++) {
		unsigned int bit;

		if (bitmap[word] == UINT64_MAX)
			continue;
		bit = (unsigned int)__builtin_ctzll(~bitmap[word]);
		bitmap[word] |= UINT64_C(1) << bit;
		return word * 64 + bit;
	}
	return SLOT_NONE;
}

/** Gives it back; SLOT_NONE is taken. Returns SLOT_NONE. */
static inline unsigned int slot_give(uint64_t *bitmap, unsigned int slot)
{
	if (slot != SLOT_NONE)
		bitmap[slot / 64] &= ~(UINT64_C(1) << (slot % 64));
	return SLOT_NONE;
}
