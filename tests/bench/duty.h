/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A thread that behaves as a vCPU with a given demand, and notes how late it runs.
 */

#include "pvsched/page.h"
#include "util/base.h"

struct duty {
	uint64_t run_ns;    /* CPU time per burst */
	uint64_t period_ns; /* bursts are due at multiples of it; 0: aperiodic */
	uint64_t origin_ns; /* counted from this moment; 0: from when it begins to live */
	uint64_t sleep_ns;  /* aperiodic: from the end of a burst to the next */
	/* with a period: work that can wait, due beside it, and interrupted by a burst that is due
	 */
	uint64_t ordinary_ns; /* 0: none */
	uint64_t ordinary_period_ns;
	struct pvsched_page *page; /* where it says which of the two it does; NULL: nowhere */
};

/** Latencies in ns, one for each burst that was due. */
struct duty_record {
	uint64_t *latency_ns;
	size_t n, max;
	uint64_t dropped; /* had no room */
};

/**
 * Lives like that for @for_ns. With a period, the schedule is absolute: a burst that is due while
 * the thread is late is not left out, its latency is what passed until the thread turned to it.
 * Bursts that are due at that moment together are served by one run, as a guest serves merged timer
 * interrupts: so a thread that gets less than it wants is behind for ever, but its queue does not
 * grow.
 * @record  NULL: nothing is noted
 */
void duty_live(const struct duty *duty, uint64_t for_ns, struct duty_record *record);
