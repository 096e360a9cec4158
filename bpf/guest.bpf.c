// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest's tracer: keeps task_intent and cs_state of each CPU's page, which the host reads where
 * they are. It observes; it changes no task, and makes no call to the host.
 *
 * A word is stored only if it changes: the host reads the page by this cache line. What runs on a
 * CPU is written by that CPU, under its run queue's lock. Only a task that is pending is written by
 * the CPU that wakes it, by compare-and-swap: if that fails, the CPU has just switched. All of a
 * page's words are on one line, and a program looks up one value, so what is left of its price is
 * the kernel's, for calling it.
 */
#include <linux/bpf.h>

#include "kernel.h"

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>

#include "core/intent.h"

char LICENSE[] SEC("license") = "GPL";

/* A value is a page of the guest's memory, which its kernel never moves; one for each possible CPU
 * once it is loaded. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, PVSCHED_REGION_PAGES_MAX);
	__type(key, __u32);
	__type(value, struct pvsched_page);
} pages SEC(".maps");

static __always_inline struct pvsched_page *page_of(__u32 cpu)
{
	return bpf_map_lookup_elem(&pages, &cpu);
}

/*
 * A sign of life of this CPU, whose words may say the same for long, or again when the host looks.
 * An interrupt may come in between: then one count is lost, and the word has changed all the same.
 */
static __always_inline void pulse(struct pvsched_page *page)
{
	PVS_STORE(page->pulse, PVS_LOAD(page->pulse) + 1);
}

static __always_inline __u64 tuple_of(const struct task_struct *p)
{
	return pvs_intent_tuple(p->policy, p->prio, p->static_prio);
}

SEC("tp_btf/sched_switch")
int BPF_PROG(on_switch, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	struct pvsched_page *page = page_of(bpf_get_smp_processor_id());
	__u64 word;

	if (!page)
		return 0;
	word = next->pid ? pvs_intent_runs(tuple_of(next)) : pvs_intent_idles();
	/* an interrupt whose end was not seen is over: none of them switches tasks */
	if (PVS_LOAD(page->cs_state))
		PVS_STORE(page->cs_state, 0);
	if (PVS_LOAD(page->task_intent) == word)
		return 0;
	PVS_STORE(page->task_intent, word);
	pulse(page);
	return 0;
}

/* A real-time task is going to run on @cpu. */
static __always_inline void pends(const struct task_struct *p, __u32 cpu)
{
	struct pvsched_page *page = page_of(cpu);
	__u64 old, word;

	if (!page)
		return;
	old = PVS_LOAD(page->task_intent);
	word = pvs_intent_pend(old, tuple_of(p));
	if (word != old)
		__sync_val_compare_and_swap(&page->task_intent, old, word);
}

/*
 * Before its CPU is chosen. A real-time task mostly stays where it was, and that CPU may be one
 * that the host has preempted: only the waker can write then. sched_wakeup comes after the choice,
 * perhaps on that CPU; a program more at each wake-up is what costs, so on_migrate() does instead.
 */
SEC("tp_btf/sched_waking")
int BPF_PROG(on_waking, struct task_struct *p)
{
	if (p->prio < PVS_RT_PRIOS)
		pends(p, p->thread_info.cpu);
	return 0;
}

/* Another CPU was chosen for it, or it was moved while it waits: the kernel moves no task that
 * sleeps. */
SEC("tp_btf/sched_migrate_task")
int BPF_PROG(on_migrate, struct task_struct *p, int dest_cpu)
{
	struct pvsched_page *page;
	__u64 old, word;

	if (p->prio >= PVS_RT_PRIOS)
		return 0;
	page = page_of(p->thread_info.cpu);
	if (!page)
		return 0;
	old = PVS_LOAD(page->task_intent);
	word = pvs_intent_unpend(old, tuple_of(p));
	if (word != old)
		__sync_val_compare_and_swap(&page->task_intent, old, word);
	pends(p, dest_cpu);
	return 0;
}

/* An interrupt within a softirq leaves the word as it was, so these need no atomic change. */
static __always_inline void section_begins(__u64 bit)
{
	struct pvsched_page *page = page_of(bpf_get_smp_processor_id());
	__u64 state;

	if (!page)
		return;
	state = PVS_LOAD(page->cs_state);
	if (state & bit)
		return;
	PVS_STORE(page->cs_state, state | bit);
	pulse(page);
}

static __always_inline void section_ends(__u64 bit)
{
	struct pvsched_page *page = page_of(bpf_get_smp_processor_id());
	__u64 state;

	if (!page)
		return;
	state = PVS_LOAD(page->cs_state);
	if (state & bit)
		PVS_STORE(page->cs_state, state & ~bit);
}

#define SECTION(tracepoint, bit)                                                                   \
	SEC("tp_btf/" #tracepoint "_entry")                                                        \
	int BPF_PROG(tracepoint##_begins)                                                          \
	{                                                                                          \
		section_begins(bit);                                                               \
		return 0;                                                                          \
	}                                                                                          \
	SEC("tp_btf/" #tracepoint "_exit")                                                         \
	int BPF_PROG(tracepoint##_ends)                                                            \
	{                                                                                          \
		section_ends(bit);                                                                 \
		return 0;                                                                          \
	}

SECTION(irq_handler, PVSCHED_CS_HARDIRQ)
SECTION(softirq, PVSCHED_CS_SOFTIRQ)
/* Vectors of x86, which have no handler that irq_handler_entry sees. Not reschedule: the switch
 * that it leads to is seen. */
SECTION(local_timer, PVSCHED_CS_HARDIRQ)
SECTION(call_function, PVSCHED_CS_HARDIRQ)
SECTION(call_function_single, PVSCHED_CS_HARDIRQ)
SECTION(irq_work, PVSCHED_CS_HARDIRQ)

/*
 * A task that goes on: the timer's interrupt tells that the tracer lives. A CPU without one sleeps,
 * and then its words hold; or it runs one task alone on nohz_full: that word lapses after a second
 * of its run time, and the host decides by what it sees.
 */
SEC("tp_btf/local_timer_entry")
int BPF_PROG(on_tick)
{
	struct pvsched_page *page = page_of(bpf_get_smp_processor_id());

	if (page)
		pulse(page);
	return 0;
}
