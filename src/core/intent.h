/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
#pragma once

/*
 * The word task_intent of a page, as a guest's tracer keeps it: what a task is in three bytes, and
 * how the word changes. Pure; the guest's tracer and the tests compile it.
 */

#include <linux/types.h>

#include "pvsched/page.h"

/** One access each: the host, another CPU or an interrupt uses the word at the same time. */
#define PVS_LOAD(word)         (*(const volatile __typeof__(word) *)&(word))
#define PVS_STORE(word, value) (*(volatile __typeof__(word) *)&(word) = (value))

/** Is in a page until the tracer has seen a switch on that CPU: no task has this word. */
#define PVS_INTENT_UNSEEN (~0ULL)

#define PVS_INTENT_PENDING ((__u64)PVSCHED_INTENT_PENDING << 48)
#define PVS_INTENT_IDLE    ((__u64)PVSCHED_INTENT_IDLE << 48)

/** The kernel's effective priorities: below this one a task is real time. */
#define PVS_RT_PRIOS 100

/** The kernel's numbers of policies that a page has no number for. */
#define PVS_LINUX_DEADLINE 6

/**
 * The tuple of a task. @prio is effective: a task that holds a lock for which a real-time task
 * waits is real time itself. Deadline tasks count as the most urgent ones; what the page does not
 * know (sched_ext) counts as NORMAL.
 * @static_prio  120 plus the nice value
 */
static inline __attribute__((always_inline)) __u64 pvs_intent_tuple(__u32 policy, int prio,
                                                                    int static_prio)
{
	int rt_priority = PVS_RT_PRIOS - 1 - prio;

	if (prio < PVS_RT_PRIOS) {
		if (rt_priority > 99)
			rt_priority = 99;
		if (rt_priority < 1)
			rt_priority = 1;
		return pvsched_tuple(policy == PVSCHED_POLICY_RR ? PVSCHED_POLICY_RR
		                                                 : PVSCHED_POLICY_FIFO,
		                     0, (__u32)rt_priority);
	}
	if (policy == PVSCHED_POLICY_IDLE)
		return pvsched_tuple(PVSCHED_POLICY_IDLE, 0, 0);
	return pvsched_tuple(policy == PVSCHED_POLICY_BATCH ? PVSCHED_POLICY_BATCH
	                                                    : PVSCHED_POLICY_NORMAL,
	                     static_prio - 120, 0);
}

/** The word of a CPU that runs a task with this tuple, and of one that is idle. */
static inline __attribute__((always_inline)) __u64 pvs_intent_runs(__u64 tuple)
{
	return tuple;
}

static inline __attribute__((always_inline)) __u64 pvs_intent_idles(void)
{
	return pvsched_tuple(PVSCHED_POLICY_IDLE, 0, 0) | PVS_INTENT_IDLE;
}

/* Of two tuples the higher real-time priority; 0 for ordinary tasks. */
static inline __attribute__((always_inline)) __u32 pvs_intent_priority(__u64 tuple)
{
	return (tuple >> 16) & 0xff;
}

/**
 * The word after a real-time task with @tuple was woken for the CPU. The same word if its current
 * or pending task has at least that priority, so the task will not run next.
 */
static inline __attribute__((always_inline)) __u64 pvs_intent_pend(__u64 word, __u64 tuple)
{
	if (word == PVS_INTENT_UNSEEN || pvs_intent_priority(word) >= pvs_intent_priority(tuple))
		return word;
	if ((word & PVS_INTENT_PENDING) &&
	    pvs_intent_priority(word >> 24) >= pvs_intent_priority(tuple))
		return word;
	return (word & ~0xffffff000000ULL) | PVS_INTENT_PENDING | (tuple & 0xffffff) << 24;
}

/** The word after that task went to another CPU. */
static inline __attribute__((always_inline)) __u64 pvs_intent_unpend(__u64 word, __u64 tuple)
{
	if (word == PVS_INTENT_UNSEEN || !(word & PVS_INTENT_PENDING) ||
	    ((word >> 24) & 0xffffff) != tuple)
		return word;
	return word & ~(PVS_INTENT_PENDING | 0xffffff000000ULL);
}
