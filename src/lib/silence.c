/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
#include "lib/silence.h"

#include <time.h>

static uint64_t clock_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/*
 * Threads may do this at a time. The time is written before the snapshot that it belongs to, so
 * one that mixes two of them finds a time that is too late, and no silence.
 */
static int is_silent(struct pvsched_heard *heard, int here, uint64_t published_ns)
{
	uint64_t now_ns = clock_now_ns(), since_ns;

	if (__atomic_load_n(&heard->published_ns, __ATOMIC_ACQUIRE) != published_ns) {
		__atomic_store_n(&heard->since_ns, here ? now_ns : 0, __ATOMIC_RELAXED);
		__atomic_store_n(&heard->published_ns, published_ns, __ATOMIC_RELEASE);
		return 0;
	}
	since_ns = __atomic_load_n(&heard->since_ns, __ATOMIC_RELAXED);
	if (since_ns)
		return now_ns > since_ns && now_ns - since_ns > PVSCHED_SILENT_NS;
	/* seen from another CPU only: this one may have slept ever since */
	if (here)
		__atomic_store_n(&heard->since_ns, now_ns, __ATOMIC_RELAXED);
	return 0;
}

void pvsched_silence_look(struct pvsched *host, uint32_t cpu, int here,
                          struct pvsched_report *report)
{
	if (report->state != PVSCHED_STATE_ENABLED || cpu >= CPUS_MAX ||
	    !is_silent(&host->heard[cpu], here, report->published_ns))
		return;
	report->state = PVSCHED_STATE_SILENT;
	report->boosted = report->throttled = report->preempted = report->avoid = 0;
}
