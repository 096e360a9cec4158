// SPDX-License-Identifier: GPL-2.0-only
/*
 * What bpf_timer_start() takes inside sched_switch, where interrupts are off, and how late its
 * timer fires. Every start is for a time that is over before the next one.
 */
#include <linux/bpf.h>

#include "kernel.h"

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "timer.h"

#define CLOCK_MONOTONIC 1
#define EVERY_NS        200000 /* a start each so often, so that each timer fires */
#define DELAY_NS        100000

char LICENSE[] SEC("license") = "GPL";

struct slot {
	struct bpf_timer timer;
	__u64 due_ns;
	__u64 started_ns;
	struct timer_figures figures;
};

_Static_assert(__builtin_offsetof(struct slot, figures) == TIMER_FIGURES_OFFSET, "slot");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, _TIMER_MODES);
	__type(key, __u32);
	__type(value, struct slot);
} timers SEC(".maps");

/* Written by the benchmark. */
__u32 tid, mode;

static __always_inline void count(__u32 *buckets, __u64 bucket)
{
	if (bucket > TIMER_BUCKETS - 1)
		bucket = TIMER_BUCKETS - 1;
	asm volatile("" : "+r"(bucket)); /* or the compiler bounds a copy */
	if (bucket < TIMER_BUCKETS)
		buckets[bucket]++;
}

static int fired(void *map, int *key, struct slot *slot)
{
	__u64 now = bpf_ktime_get_ns();

	if (now > slot->due_ns)
		count(slot->figures.late, (now - slot->due_ns) / 1000);
	return 0;
}

SEC("tp_btf/sched_switch")
int BPF_PROG(on_switch, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	__u32 which = mode;
	struct slot *slot;
	__u64 now, then;
	long r;

	if (next->pid != tid || which == TIMER_NONE || which >= _TIMER_MODES)
		return 0;
	slot = bpf_map_lookup_elem(&timers, &which);
	now = bpf_ktime_get_ns();
	if (!slot || now - slot->started_ns < EVERY_NS)
		return 0;
	slot->started_ns = now;
	slot->due_ns = now + DELAY_NS;
	r = bpf_timer_start(&slot->timer, DELAY_NS, 0);
	then = bpf_ktime_get_ns();
	slot->figures.starts++;
	if (r)
		slot->figures.refused++;
	else
		count(slot->figures.took, (then - now) / 10);
	return 0;
}

/* From process context, as the tracer makes its own. */
SEC("syscall")
int make(void *ctx)
{
	for (__u32 i = 0; i < _TIMER_MODES; i++) {
		__u32 which = i;
		struct slot *slot = bpf_map_lookup_elem(&timers, &which);
		long r;

		if (!slot)
			return -1;
		r = bpf_timer_init(&slot->timer, &timers, CLOCK_MONOTONIC);
		if (!r)
			r = bpf_timer_set_callback(&slot->timer, fired);
		if (r)
			return (int)r;
	}
	return 0;
}
