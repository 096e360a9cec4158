/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
#pragma once

/*
 * What a vCPU did lately: in the last ten seconds, minute, ten minutes. The counters of an account
 * only grow. So a copy of them, a *mark*, is kept from time to time, and a window is the difference
 * to a mark that is old enough. The tracer makes marks when it switches the vCPU in: no timer is
 * needed, and a vCPU that does nothing costs nothing. Written by the tracer, where the account is;
 * read by the daemon.
 */

#include "core/account.h"

#define PVS_WINDOWS      3
#define PVS_WINDOW_MARKS 3 /* a part apart, so that one is always older than two parts */

/** The counters of the account, as they were from @from_ns until @until_ns. */
struct pvs_mark {
	__u64 from_ns;
	__u64 until_ns; /* when it was made; 0: there is none, or it is being made */
	__u64 run_ns, boosted_ns, wait_ns;
	__u64 wakeups, wakeups_boosted;
	__u64 boosts, denied;
	__u32 wait_counts[PVS_WAIT_BUCKETS];
};

struct pvs_window {
	__u64 latest;  /* index of the mark that was made last */
	__u64 made_ns; /* when; 0: none is made yet */
	struct pvs_mark marks[PVS_WINDOW_MARKS];
};

/** Zeroed: none is made yet. */
struct pvs_windows {
	struct pvs_window windows[PVS_WINDOWS];
};

/** How far apart marks are, at least. The window is twice as long. */
static inline __u64 pvs_window_part_ns(__u32 window)
{
	return (window == 0 ? 5ULL : window == 1 ? 30ULL : 300ULL) * 1000000000ULL;
}

static inline __attribute__((always_inline)) void
pvs_mark_make(struct pvs_mark *mark, const struct pvs_vcpu_account *vcpu, __u64 now_ns)
{
	*(volatile __u64 *)&mark->until_ns = 0;
	/* off its CPU since then, and so were its counters */
	mark->from_ns = vcpu->out_ns ? vcpu->out_ns : now_ns;
	mark->run_ns = vcpu->run_ns;
	mark->boosted_ns = vcpu->used_ns;
	mark->wait_ns = vcpu->wait_ns;
	mark->wakeups = vcpu->wakeups;
	mark->wakeups_boosted = vcpu->wakeups_boosted;
	mark->boosts = vcpu->boosts;
	mark->denied = vcpu->denied;
	__builtin_memcpy(mark->wait_counts, vcpu->wait_counts, sizeof(mark->wait_counts));
	*(volatile __u64 *)&mark->until_ns = now_ns;
}

/** The vCPU is switched in at @now_ns, and nothing of that is counted yet. */
static inline __attribute__((always_inline)) void
pvs_window_update(struct pvs_window *window, __u32 number, const struct pvs_vcpu_account *vcpu,
                  __u64 now_ns)
{
	__u64 next = window->latest + 1;

	if (window->made_ns && now_ns - window->made_ns < pvs_window_part_ns(number))
		return;
	if (next >= PVS_WINDOW_MARKS)
		next = 0;
	/* keeps the compiler from bounding a copy and indexing with the original */
	asm volatile("" : "+r"(next));
	if (next >= PVS_WINDOW_MARKS)
		return;
	pvs_mark_make(&window->marks[next], vcpu, now_ns);
	window->latest = next;
	window->made_ns = now_ns;
}

_Static_assert(sizeof(struct pvs_mark) == 392, "mark");
_Static_assert(sizeof(struct pvs_windows) == 3 * (16 + 3 * 392), "windows");
_Static_assert(__builtin_offsetof(struct pvs_vcpu_account, wait_counts) % 8 == 0,
               "copied by words");
