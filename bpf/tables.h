/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

/*
 * What the tracer keeps: the accounts that it shares with the daemon, the table of registered
 * threads, and the rings of events.
 */

#include <linux/bpf.h>

#include "kernel.h"

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>

#include "core/account.h"
#include "core/demand.h"
#include "core/moved.h"
#include "core/window.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, PVS_VCPUS_MAX);
	__type(key, __u32);
	__type(value, struct pvs_vcpu_account);
} vcpus SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, PVS_DOMAINS_MAX);
	__type(key, __u32);
	__type(value, struct pvs_domain_account);
} domains SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, PVS_CPUS_MAX);
	__type(key, __u32);
	__type(value, struct pvs_cpu_account);
} cpus SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, PVS_HELPERS_MAX);
	__type(key, __u32);
	__type(value, struct pvs_helper_account);
} helpers SEC(".maps");

/* Of vCPUs alone that are registered: the daemon makes them, the tracer finds them. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, PVS_VCPUS_MAX);
	__type(key, __u32);
	__type(value, struct pvs_windows);
} windows SEC(".maps");

/* Likewise. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, PVS_VCPUS_MAX);
	__type(key, __u32);
	__type(value, struct pvs_demand);
} demands SEC(".maps");

/* TID -> slot of a vCPU, or PVS_VCPUS_MAX + slot of a helper, so that one look-up finds either */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, PVS_THREADS_MAX);
	__type(key, __u32);
	__type(value, __u32);
} slots SEC(".maps");

/* Of so many vCPUs that share a CPU the next wake-ups are foreseen. */
#define PVS_LATELY 8

/* The timer of a host CPU that ends boosts there: see deadline.h. */
struct deadline {
	struct bpf_timer timer;
	__u64 due_ns; /* when the timer fires; 0: it does not run */
	__u64 in_ns;  /* when a boosted vCPU was last switched in there; 0: never */
	__u32 slot;   /* that vCPU's */
	__u32 reserved0;
	/* boosted vCPUs that were switched in there lately: slot + 1; 0: none. By slot modulo. */
	__u32 lately[PVS_LATELY];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, PVS_CPUS_MAX);
	__type(key, __u32);
	__type(value, struct deadline);
} deadlines SEC(".maps");

/* The timer that looks at a vCPU that was woken: see unseen.h. */
struct unseen_look {
	struct bpf_timer timer;
	__u64 due_ns; /* when the timer fires; 0: it does not run */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, PVS_VCPUS_MAX);
	__type(key, __u32);
	__type(value, struct unseen_look);
} unseen_looks SEC(".maps");

/* The timer that looks at a helper that waits: see helpers.h. */
struct helper_look {
	struct bpf_timer timer;
	__u64 due_ns; /* when the timer fires; 0: it does not run */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, PVS_HELPERS_MAX);
	__type(key, __u32);
	__type(value, struct helper_look);
} helper_looks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, PVS_EVENTS_BYTES);
} events SEC(".maps");

/* Only the guardian waits on this ring: any entry means that the daemon does not answer. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} overdue SEC(".maps");

/*
 * One bit for each value of the low 16 bits of a TID. Clear means that the thread is surely not
 * registered. Every switch of every thread of the host loads a word of it, so it must be small
 * enough to stay cached.
 */
__u64 listed[1024];

/* Set before the programs are loaded: the verifier does not check code behind a cleared bit. */
const volatile __u32 parts = PVS_PARTS_ALL;

/* Written by the daemon. */
struct pvs_bucket_rule cpu_rule;
struct pvs_prices prices;

/* Set here, cleared by the booster. */
struct pvs_moved moved;

/*
 * Written by the tracer: how often a deadline was started, how often it could not be, and the last
 * error (-errno).
 */
__u64 deadlines_started;
__u64 deadlines_refused;
int deadline_error;
__u64 events_lost;
/* Not 0: switches go missing on this host, so each wake-up must be watched, too. */
__u32 unseen_any;

static __always_inline bool tid_listed(__u32 tid)
{
	return listed[(tid >> 6) & 1023] & (1ULL << (tid & 63));
}

/* The account of a registered vCPU. NULL: no vCPU; a helper if *slot is PVS_VCPUS_MAX or more. */
static __always_inline struct pvs_vcpu_account *vcpu_find(__u32 tid, __u32 *slot)
{
	__u32 *found;

	if (!tid_listed(tid))
		return NULL;
	found = bpf_map_lookup_elem(&slots, &tid);
	if (!found)
		return NULL;
	*slot = *found;
	return bpf_map_lookup_elem(&vcpus, slot);
}

static __always_inline __u64 ready_since(const struct pvs_vcpu_account *vcpu)
{
	return pvs_ready_since(vcpu->out, vcpu->out_ns, vcpu->wake_ns);
}

/*
 * Functions marked __noinline are global: the verifier checks each of them once, for any
 * argument, and not on every path that leads to it. They take numbers only, because Linux
 * 6.1 allows nothing else.
 */
__noinline int event_send(__u32 slot, __u32 type, __u32 arg)
{
	struct pvs_vcpu_account *vcpu = bpf_map_lookup_elem(&vcpus, &slot);
	struct pvs_event event = {
	        .at_ns = bpf_ktime_get_ns(),
	        .type = type,
	        .slot = slot,
	        .arg = arg,
	};

	if (!vcpu)
		return 0;
	event.tid = vcpu->tid;
	/* Events are rare and wanted at once: no batching. */
	if (bpf_ringbuf_output(&events, &event, sizeof(event), BPF_RB_FORCE_WAKEUP)) {
		vcpu->events_lost++;
		__sync_fetch_and_add(&events_lost, 1);
	}
	return 0;
}
