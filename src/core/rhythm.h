/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
#pragma once

/*
 * When a vCPU that sleeps will be woken again. Most guests that need low latency are woken by a
 * periodic timer. Shared by the tracer and the simulator. The result only says whether a timer is
 * worth starting in advance: a wrong guess costs a timer, and never a deadline.
 */

#include <linux/types.h>

/** A vCPU that is woken less often than this gains nothing by a microsecond saved per wake-up. */
#define PVS_RHYTHM_MAX_NS 20000000ULL

/** The wake-ups of a vCPU. Zeroed: nothing is known. */
struct pvs_rhythm {
	__u64 woken_ns;  /* when it was last woken */
	__u64 period_ns; /* from one to the next, rather too short; 0: unknown */
};

/**
 * The vCPU was woken at @now_ns. A wake-up that comes sooner than expected finds no timer, so a
 * shorter period is learned quickly, by half. A wake-up that comes later only makes a timer fire
 * for nothing, so a longer period is learned by an eighth.
 */
static inline void pvs_rhythm_learn(struct pvs_rhythm *rhythm, __u64 now_ns)
{
	__u64 took_ns = now_ns - rhythm->woken_ns, period_ns = rhythm->period_ns;

	if (took_ns > PVS_RHYTHM_MAX_NS)
		took_ns = PVS_RHYTHM_MAX_NS;
	if (!period_ns)
		period_ns = took_ns;
	else if (took_ns < period_ns)
		period_ns -= (period_ns - took_ns) / 2;
	else
		period_ns += (took_ns - period_ns) / 8;
	rhythm->period_ns = period_ns;
	rhythm->woken_ns = now_ns;
}

/**
 * When the vCPU will be woken, after @now_ns. 0: it is not known to be woken often, or it should
 * have been woken already. Then it is not regular, or has nothing more to do.
 */
static inline __u64 pvs_rhythm_next(const struct pvs_rhythm *rhythm, __u64 now_ns)
{
	__u64 next_ns = rhythm->woken_ns + rhythm->period_ns;

	if (!rhythm->period_ns || rhythm->period_ns >= PVS_RHYTHM_MAX_NS || next_ns <= now_ns)
		return 0;
	return next_ns;
}

/**
 * When a deadline that is started in advance is due, for the run that begins at @next_ns with
 * @left_ns to spend. It is a little before the end, so that it also holds for a vCPU that is woken
 * somewhat sooner.
 */
static inline __u64 pvs_rhythm_due(__u64 next_ns, __u64 left_ns)
{
	return next_ns + left_ns - left_ns / 8;
}
