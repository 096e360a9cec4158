// SPDX-License-Identifier: GPL-2.0-only
/*
 * The instrument of `grid`: how long threads wait from their wake-up until they run, and who had
 * the CPU meanwhile. It is the same for every variant, also where pvschedd does not look, and
 * shares no code with its tracer.
 */
#include <linux/bpf.h>

#include "kernel.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "waits.h"

char LICENSE[] SEC("license") = "GPL";

struct watched {
	__u64 woken_ns;
	__u64 in_ns;  /* 0: does not run */
	__u64 out_ns; /* 0: never seen to leave its CPU */
	__u32 ran_ns;
	__s16 woken_prio;
	__u8 preempted;
	__u8 woken_cpu;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, WAITS_THREADS_MAX);
	__type(key, __u32);
	__type(value, struct watched);
} threads SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, WAITS_RECORDS_SIZE);
} records SEC(".maps");

/* When each CPU last took the interrupt by which another one tells it to schedule. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} interrupted SEC(".maps");

/* Written by the benchmark. */
__u32 recording;
/* Read by it. */
__u64 lost;

static __always_inline __u32 saturate(__u64 ns)
{
	return ns > 0xffffffffULL ? 0xffffffffU : (__u32)ns;
}

static __always_inline __u32 interrupted_after(__u64 ready)
{
	__u32 key = 0;
	__u64 *at = bpf_map_lookup_elem(&interrupted, &key);

	return at && *at > ready ? saturate(*at - ready) : 0;
}

static __always_inline void thread_out(struct task_struct *p, bool asleep)
{
	__u32 tid = p->pid;
	struct watched *thread = bpf_map_lookup_elem(&threads, &tid);
	__u64 now;

	if (!thread)
		return;
	now = bpf_ktime_get_ns();
	thread->ran_ns = thread->in_ns ? saturate(now - thread->in_ns) : 0;
	thread->in_ns = 0;
	thread->out_ns = now;
	thread->preempted = !asleep;
}

static __always_inline void thread_in(struct task_struct *before, struct task_struct *p)
{
	__u32 tid = p->pid;
	struct watched *thread = bpf_map_lookup_elem(&threads, &tid);
	struct wait_record *record;
	__u64 now, ready;

	if (!thread)
		return;
	now = bpf_ktime_get_ns();
	thread->in_ns = now;
	if (!recording || !thread->out_ns)
		return;
	/* one that is woken while it still goes to sleep is ready when it has left */
	ready = thread->preempted || thread->woken_ns < thread->out_ns ? thread->out_ns
	                                                               : thread->woken_ns;
	record = bpf_ringbuf_reserve(&records, sizeof(*record), 0);
	if (!record) {
		__sync_fetch_and_add(&lost, 1);
		return;
	}
	record->ready_ns = ready;
	record->wait_ns = saturate(now - ready);
	record->ran_ns = thread->ran_ns;
	record->tid = p->pid;
	record->before_tid = before->pid;
	record->woken_prio = thread->woken_prio;
	record->prio = p->prio;
	record->before_prio = before->prio;
	record->kind = thread->preempted ? WAIT_PREEMPTED : WAIT_WOKEN;
	record->elsewhere = thread->woken_cpu != (__u8)bpf_get_smp_processor_id();
	record->interrupted_ns = record->elsewhere ? interrupted_after(ready) : 0;
	record->reserved = 0;
	/* at this moment `before` still is the current task */
	bpf_get_current_comm(record->before, sizeof(record->before));
	/* nobody waits for records: they are fetched when the measurement is over */
	bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
}

SEC("tp_btf/sched_switch")
int BPF_PROG(grid_switch, bool preempt, struct task_struct *prev, struct task_struct *next,
             unsigned int prev_state)
{
	thread_out(prev, !preempt && prev_state);
	thread_in(prev, next);
	return 0;
}

SEC("tp_btf/sched_waking")
int BPF_PROG(grid_waking, struct task_struct *p)
{
	__u32 tid = p->pid;
	struct watched *thread = bpf_map_lookup_elem(&threads, &tid);

	if (!thread)
		return 0;
	thread->woken_ns = bpf_ktime_get_ns();
	thread->woken_prio = p->prio;
	thread->woken_cpu = bpf_get_smp_processor_id();
	return 0;
}

SEC("raw_tp/reschedule_entry")
int grid_interrupted(void *ctx)
{
	__u32 key = 0;
	__u64 *at = bpf_map_lookup_elem(&interrupted, &key);

	if (at)
		*at = bpf_ktime_get_ns();
	return 0;
}
