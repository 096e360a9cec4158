/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Pushes a boosted vCPU off a CPU whose bucket is empty, to one that has tokens. The booster, which
 * has a higher priority, runs on the full CPU for a moment, and the kernel pushes the vCPU that it
 * preempts to another CPU. The affinity of the vCPU belongs to its owner, and is not touched. For
 * the booster thread alone.
 */

#include "boost/accounts.h"
#include "boost/affinity.h"

/**
 * No vCPU is pushed off a CPU where real-time threads of others, and the booster, had more of the
 * time than this: the booster would wait there for a thread with a higher priority. The booster's
 * own part is a few hundredths at most, over such a window at least: in a shorter one a few visits
 * would be much of the time.
 */
#define PUSH_FOREIGN_PERMILLE 100
#define PUSH_WINDOW_NS        (10 * NSEC_PER_MSEC)

/** The last window that was looked at. */
struct push_cpu {
	uint64_t at_ns;      /* its end */
	uint64_t foreign_ns; /* real-time run time of others on the CPU until then */
	bool is_foreign;     /* much of the window was theirs */
};

/** Zeroed, but for the pointers, which must outlive it. */
struct push {
	const struct accounts *accounts;
	struct affinity *affinity;
	struct push_cpu cpus[PVS_CPUS_MAX];
};

/** Can the vCPU be pushed to another CPU on which it may run, and which holds a burst for it? */
bool push_has_room(struct push *push, unsigned int slot, uint64_t now_ns);

/**
 * Pushes the vCPU off its CPU, if it runs there without tokens. From its next switch-in on the
 * tracer tells again when its tokens have ended.
 */
void push_vcpu(struct push *push, unsigned int slot, uint64_t now_ns);
