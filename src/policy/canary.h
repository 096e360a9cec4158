/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The canary: an ordinary thread that is moved to a CPU where elevated time is consumed, and asked
 * to run. That it does not for half a second says nothing by itself, since ordinary threads may be
 * many; that vCPUs ran elevated for most of that time says that it is by them. Then what bounds
 * them has failed. Pure: one canary's state, and what comes next.
 */

#include "util/base.h"

/**
 * So long may it wait. The kernel's own throttling of real-time threads leaves ordinary ones
 * nothing for 950 ms on end, so that a second would never be seen.
 */
#define CANARY_WAIT_NS (500 * NSEC_PER_MSEC)

/**
 * So much of that time vCPUs must have been elevated: more than any configured cap lets through,
 * which is 500 and a burst of 20 ms, and less than the throttling leaves, 950.
 */
#define CANARY_SHARE_PERMILLE 750

struct canary_watch {
	int cpu;              /* where it was asked to run, and has not been seen to; -1 */
	uint64_t since_ns;    /* that is looked at since then */
	uint64_t elevated_ns; /* what the CPU had been charged for elevated vCPUs by then */
};

#define CANARY_WATCH_INIT ((struct canary_watch){.cpu = -1})

enum canary_verdict {
	CANARY_FINE,    /* nothing to do */
	CANARY_ASK,     /* ask it to run there */
	CANARY_STARVES, /* it does not come to run there, and vCPUs are why; it is not waited for
	                   any more */
};

/**
 * Elevated time was consumed on @cpu, for which it has been charged @elevated_ns in all.
 * @ran  it has run since it was asked
 */
enum canary_verdict canary_consumed(struct canary_watch *watch, int cpu, uint64_t elevated_ns,
                                    bool ran, uint64_t now_ns);
