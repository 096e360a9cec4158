/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* What the BPF program of rt-second tells it: one run of a thread with a real-time class. */

#include <linux/types.h>

struct rt_run {
	__u64 from_ns, to_ns; /* CLOCK_MONOTONIC */
	__u32 cpu;
	__u32 boost; /* 1: a boosted vCPU thread */
};

#define RT_RUNS_BYTES (8U << 20)
