/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
#pragma once

/*
 * When a vCPU that sleeps will be woken again: most guests that want latency are woken by a
 * periodic timer. Shared by the tracer and the simulator, as bucket.h is. It only says when it is
 * worth while to start a timer in advance; a wrong guess costs a timer, and never a deadline.
 */

#include <linux/types.h>

/** Nobody who is woken more seldom than this gains by a microsecond saved at each wake-up. */
#define PVS_RHYTHM_MAX_NS 20000000ULL

/** Its wake-ups. Zeroed: nothing is known. */
struct pvs_rhythm {
	__u64 woken_ns;  /* the last one */
	__u64 period_ns; /* to the next, on the short side; 0: not known */
};

/**
 * It was woken at @now_ns. What comes sooner than expected must be expected the next time, since it
 * finds no timer; what comes later only makes one fire for nothing. So a shorter period is learned
 * at once by half, a longer one by an eighth.
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
 * When it will be woken, after @now_ns; 0 if it is not known to be woken often, or should have been
 * already: then it is not regular, or has nothing more to do.
 */
static inline __u64 pvs_rhythm_next(const struct pvs_rhythm *rhythm, __u64 now_ns)
{
	__u64 next_ns = rhythm->woken_ns + rhythm->period_ns;

	if (!rhythm->period_ns || rhythm->period_ns >= PVS_RHYTHM_MAX_NS || next_ns <= now_ns)
		return 0;
	return next_ns;
}

/**
 * When the deadline of the run that begins at @next_ns with @left_ns to spend is due, if it is
 * started in advance: a little before the end, so that it holds for one that is woken somewhat
 * sooner, too.
 */
static inline __u64 pvs_rhythm_due(__u64 next_ns, __u64 left_ns)
{
	return next_ns + left_ns - left_ns / 8;
}
