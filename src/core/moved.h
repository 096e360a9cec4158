/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
#pragma once

/* How the tracer notes that a boosted vCPU has moved: see struct pvs_moved. */

#include "core/account.h"

/**
 * The vCPU in @slot has moved; to be called after the account's cpu is written. The booster clears
 * the bit before it reads that word. Both are full barriers, so it sees this move, or finds the bit
 * set again.
 */
static inline __attribute__((always_inline)) void pvs_moved_set(struct pvs_moved *moved, __u32 slot)
{
	__u64 before = __sync_fetch_and_or(&moved->words[slot / 64 % PVS_MOVED_WORDS],
	                                   1ULL << (slot % 64));

	/* without a use of its result the compiler for BPF chooses an operation that orders nothing
	 */
	asm volatile("" : : "r"(before));
}
