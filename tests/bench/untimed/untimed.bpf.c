// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tracer as it is shipped, but for its deadlines: it starts none, and does not look at the
 * tokens where a boosted vCPU is switched in. For tests/bench/run deadline, where somebody else
 * keeps them, who may want to be told there: each time but after a preemption, since whoever is
 * woken for it may be what preempts.
 */
#include "deadline.h"
#include "unseen.h"
#include "untimed.h"

#define deadline_watch(slot, now)                                                                  \
	do {                                                                                       \
		if ((vcpu->flags & UNTIMED_FLAG_TELL) && vcpu->out != PVS_OUT_PREEMPTED)           \
			event_send(slot, PVS_EVENT_RUN, 0);                                        \
	} while (0)
#define unseen_watch(slot, now) ((void)0)
#include "tracer.bpf.c"
