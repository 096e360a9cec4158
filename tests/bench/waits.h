/* SPDX-License-Identifier: (GPL-2.0-only OR GPL-2.0-or-later) */
#pragma once

/* What the instrument of `grid` writes down for each time that a watched thread gets its CPU. */

#include <linux/types.h>

#define WAITS_THREADS_MAX  64
#define WAITS_RECORDS_SIZE (8 * 1024 * 1024)

enum wait_kind {
	WAIT_WOKEN = 0,     /* it had slept */
	WAIT_PREEMPTED = 1, /* it had lost its CPU while it wanted to run */
};

/** Read by grid_host.py, too: WAIT there is this struct. */
struct wait_record {
	__u64 ready_ns; /* woken, or preempted; monotonic clock */
	__u32 wait_ns;  /* from then until it ran; saturates */
	__u32 ran_ns;   /* how long it had run before that; saturates */
	__u32 tid;
	__u32 before_tid;  /* who had the CPU just before it; 0: nobody, it was idle */
	__s16 woken_prio;  /* of the thread when it was woken: below 100 is real time */
	__s16 prio;        /* and when it ran */
	__s16 before_prio; /* of who had the CPU before */
	__u8 kind;         /* enum wait_kind */
	__u8 elsewhere;    /* 1: woken from another CPU than it ran on */
	/* woken from elsewhere: from then until its CPU took an interrupt for it, saturates; 0: it
	 * took none, or the kernel has no such tracepoint */
	__u32 interrupted_ns;
	__u32 reserved;
	char before[16]; /* name of who had the CPU before */
};

_Static_assert(sizeof(struct wait_record) == 56, "known to grid_host.py");
