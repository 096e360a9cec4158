/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Deadlines that the kernel did not start. From Linux 7.0 on a start inside the scheduler allocates
 * memory without waiting for any, and so may fail for a moment: that costs the one boost. A kernel
 * that starts none would cost every boost its beginning and its end, for nothing.
 */

#include <stdbool.h>

#include "util/base.h"

/**
 * So many within a second are no accident: a host with a thousand vCPUs, which start some ten
 * thousand, may lose one in a hundred. One busy guest whose every start is refused loses more.
 */
#define POLICY_REFUSALS_MANY 100

/** For so long nothing is boosted then. */
#define POLICY_REFUSALS_HOLD_NS (10 * NSEC_PER_SEC)

/** Those of the second that began at begin_ns. Zeroed: none yet. */
struct policy_refusals {
	uint64_t begin_ns;
	unsigned int count;
};

/** One more. Returns true if it makes them many; once in a second at most. */
static inline bool policy_refusals_add(struct policy_refusals *refusals, uint64_t now_ns)
{
	if (now_ns - refusals->begin_ns >= NSEC_PER_SEC)
		*refusals = (struct policy_refusals){.begin_ns = now_ns};
	return ++refusals->count == POLICY_REFUSALS_MANY;
}
