/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Bounds the CPU time of work that others can cause at any rate. Work that took some time rests for
 * DUTY_REST times as long. DUTY_BURST_NS of work may come without a rest, after a rest for that.
 * Pure; the work is measured by clock_thread_ns(), so that a thread that was preempted in it need
 * not rest for that.
 */

#include "util/base.h"

#define DUTY_REST     300 /* 3.3 permille */
#define DUTY_MAX_NS   (300 * NSEC_PER_MSEC)
#define DUTY_BURST_NS (20 * NSEC_PER_MSEC)

/** Zeroed: all may be used. */
struct duty {
	uint64_t paid_ns; /* when all that was used is paid for */
};

/** Counts what was used, at most DUTY_MAX_NS. */
static inline void duty_use(struct duty *duty, uint64_t used_ns, uint64_t now_ns)
{
	duty->paid_ns = MAX(duty->paid_ns, now_ns) + MIN(used_ns, DUTY_MAX_NS) * DUTY_REST;
}

/** When the work may go on; in the past: now. */
static inline uint64_t duty_next_ns(const struct duty *duty)
{
	uint64_t burst_ns = DUTY_BURST_NS * DUTY_REST;

	return duty->paid_ns > burst_ns ? duty->paid_ns - burst_ns : 0;
}
