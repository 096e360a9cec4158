// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests on demand: as many events as wanted, of the tracer's own form, stamped alike and seen at
 * once. What a host of many CPUs does by chance can so be had on one of two.
 */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "core/account.h"

char LICENSE[] SEC("license") = "GPL";

#define FIRE_MAX 256

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, PVS_EVENTS_BYTES);
} events SEC(".maps");

/* Written by the benchmark before it runs the program. */
__u32 tids[FIRE_MAX];
__u32 first;
__u32 count;
__u32 type;
__u32 arg;

SEC("syscall")
int fire(void *ctx)
{
	struct pvs_event event = {.at_ns = bpf_ktime_get_ns(), .type = type, .arg = arg};
	__u32 n = count;
	int lost = 0;

	for (__u32 i = 0; i < FIRE_MAX; i++) {
		__u32 slot = first + i;

		if (i >= n)
			break;
		event.slot = slot;
		event.tid = tids[slot & (FIRE_MAX - 1)];
		/* one wake-up, after the last: else the first would be served before the others are
		 * there */
		if (bpf_ringbuf_output(&events, &event, sizeof(event),
		                       i + 1 == n ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP))
			lost++;
	}
	return lost;
}

/* Nothing, where the tracer has its two programs: what the kernel's own part of tracing costs. */
SEC("tp_btf/sched_switch")
int empty_switch(void *ctx)
{
	return 0;
}

SEC("tp_btf/sched_waking")
int empty_waking(void *ctx)
{
	return 0;
}
