/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* splitmix64: the simulator's own generator, so that a seed means the same on every machine. */

#include <stdint.h>

static inline uint64_t rng_next(uint64_t *state)
{
	uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/** 0 .. below - 1 */
static inline uint64_t rng_below(uint64_t *state, uint64_t below)
{
	return below ? rng_next(state) % below : 0;
}
