/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
#pragma once

/*
 * Blockers: the threads that had the CPU while a vCPU waited for it. While a client asks for them,
 * the tracer keeps the last runs of each CPU. When a vCPU's wait ends, it looks which of them lay
 * within that wait, and adds these to the vCPU's trace. A blocker is told by its name and its
 * cgroup, since its thread may have exited before the daemon looks.
 *
 * The daemon makes and removes traces and lists of runs; the tracer writes them.
 */

#include "core/account.h"

#define PVS_CPU_RUNS    64 /* of a CPU; a power of two */
#define PVS_TRACES_MAX  512
#define PVS_BLOCKERS    32 /* of a vCPU; a power of two */
#define PVS_PROBES      8
#define PVS_WAIT_KINDS  12 /* see pvs_wait_kind() */
#define PVS_WAIT_BEHIND 4

/** What ran. Zeroed: the CPU was idle. */
struct pvs_runner {
	__u64 group;   /* the inode of its cgroup, where the cpu controller is */
	__u64 name[2]; /* its comm, with zeros behind it */
	__u32 tid;     /* no part of the identity */
	__u32 reserved0;
};

struct pvs_cpu_run {
	struct pvs_runner runner;
	__u64 from_ns;
	__u64 until_ns; /* 0: it still runs */
};

/** The last runs on a CPU: the last of all is runs[(n - 1) % PVS_CPU_RUNS]. */
struct pvs_cpu_runs {
	__u64 n; /* that have begun */
	struct pvs_cpu_run runs[PVS_CPU_RUNS];
};

struct pvs_blocker {
	struct pvs_runner runner;
	__u64 ns; /* in all waits; 0: the place is free */
	__u64 runs;
};

struct pvs_behind {
	struct pvs_runner runner;
	__u64 ns;
};

/** One wait, and what took most of it. */
struct pvs_long_wait {
	__u64 until_ns; /* when the vCPU was switched in; 0: there was none */
	__u64 wait_ns;
	__u32 cpu; /* where it was switched in */
	__u32 reserved0;
	struct pvs_behind behind[PVS_WAIT_BEHIND]; /* ns 0: none; in no order */
};

/** Of one vCPU thread. Zeroed: it has not waited yet. */
struct pvs_wait_trace {
	__u64 wait_ns;
	__u64 waits;
	__u64 moved_ns; /* when the present wait went on on another CPU; 0: it did not */
	struct pvs_long_wait present;
	struct pvs_long_wait longest[PVS_WAIT_KINDS]; /* of each kind, see pvs_wait_end() */
	struct pvs_blocker blockers[PVS_BLOCKERS];
};

/** For so long a wait is the longest of its kind. */
#define PVS_LONGEST_NS 1000000000ULL

/** A wait that goes on on another CPU so soon is looked up there alone. */
#define PVS_MOVED_MIN_NS 10000

/**
 * The kind of a wait: below 32 us, then one kind for each doubling, and 32 ms and more (in units of
 * 1,024 ns). So no number of short waits displaces a long one.
 */
static inline __attribute__((always_inline)) __u32 pvs_wait_kind(__u64 wait_ns)
{
	__u64 units = wait_ns >> 15;
	__u32 kind = 0;

	for (int i = 0; i < PVS_WAIT_KINDS - 1; i++) {
		if (!units)
			break;
		units >>= 1;
		kind++;
	}
	return kind;
}

static inline __attribute__((always_inline)) _Bool pvs_runner_equal(const struct pvs_runner *a,
                                                                    const struct pvs_runner *b)
{
	return a->group == b->group && a->name[0] == b->name[0] && a->name[1] == b->name[1];
}

/** How long the run was within @from_ns to @until_ns. */
static inline __attribute__((always_inline)) __u64 pvs_run_within(const struct pvs_cpu_run *run,
                                                                  __u64 from_ns, __u64 until_ns)
{
	__u64 end_ns = *(const volatile __u64 *)&run->until_ns;
	__u64 begin_ns = run->from_ns > from_ns ? run->from_ns : from_ns;

	if (!end_ns || end_ns > until_ns)
		end_ns = until_ns;
	return end_ns > begin_ns ? end_ns - begin_ns : 0;
}

static inline __attribute__((always_inline)) __u32 pvs_runner_hash(const struct pvs_runner *runner)
{
	__u64 word = runner->group ^ runner->name[0] ^ (runner->name[1] << 1);

	return (__u32)((word * 0x9e3779b97f4a7c15ULL) >> 40);
}

/**
 * Adds a run to the table. Where eight places are taken, the least of these blockers makes room for
 * a run that was longer than all of its own. So the table may forget some time, but not a blocker
 * that takes much of it.
 */
static inline __attribute__((always_inline)) void
pvs_blockers_add(struct pvs_blocker blockers[PVS_BLOCKERS], const struct pvs_runner *runner,
                 __u64 ns)
{
	__u32 place = pvs_runner_hash(runner), least = 0;
	__u64 least_ns = ~0ULL;

	for (__u32 i = 0; i < PVS_PROBES; i++) {
		struct pvs_blocker *blocker = &blockers[(place + i) & (PVS_BLOCKERS - 1)];

		if (blocker->ns && pvs_runner_equal(&blocker->runner, runner)) {
			blocker->runner.tid = runner->tid;
			blocker->ns += ns;
			blocker->runs++;
			return;
		}
		if (blocker->ns < least_ns) {
			least_ns = blocker->ns;
			least = i;
		}
	}
	if (ns > least_ns)
		blockers[(place + least) & (PVS_BLOCKERS - 1)] =
		        (struct pvs_blocker){.runner = *runner, .ns = ns, .runs = 1};
}

/** Adds a run to what the wait was behind. The least of four makes room. */
static inline __attribute__((always_inline)) void
pvs_behind_add(struct pvs_long_wait *wait, const struct pvs_runner *runner, __u64 ns)
{
	__u64 least_ns = ~0ULL;
	__u32 least = 0;

	for (__u32 i = 0; i < PVS_WAIT_BEHIND; i++) {
		struct pvs_behind *behind = &wait->behind[i];

		if (behind->ns && behind->runner.tid == runner->tid) {
			behind->ns += ns;
			return;
		}
		if (behind->ns < least_ns) {
			least_ns = behind->ns;
			least = i;
		}
	}
	if (ns > least_ns)
		wait->behind[least & (PVS_WAIT_BEHIND - 1)] =
		        (struct pvs_behind){.runner = *runner, .ns = ns};
}

/**
 * The present wait is over. Of each kind the longest wait is kept, for a second at least: so long a
 * shorter one does not displace it.
 */
static inline __attribute__((always_inline)) void
pvs_wait_end(struct pvs_wait_trace *trace, __u64 until_ns, __u64 wait_ns, __u32 cpu)
{
	__u32 kind = pvs_wait_kind(wait_ns);

	trace->wait_ns += wait_ns;
	trace->waits++;
	trace->moved_ns = 0;
	trace->present.until_ns = until_ns;
	trace->present.wait_ns = wait_ns;
	trace->present.cpu = cpu;
	/* keeps the compiler from bounding a copy and indexing with the original */
	asm volatile("" : "+r"(kind));
	if (kind < PVS_WAIT_KINDS && (trace->longest[kind].wait_ns <= wait_ns ||
	                              until_ns - trace->longest[kind].until_ns > PVS_LONGEST_NS))
		trace->longest[kind] = trace->present;
	__builtin_memset(&trace->present, 0, sizeof(trace->present));
}

_Static_assert(sizeof(struct pvs_runner) == 32, "runner");
_Static_assert(sizeof(struct pvs_cpu_runs) == 8 + 64 * 48, "runs");
_Static_assert(sizeof(struct pvs_long_wait) == 24 + 4 * 40, "long wait");
_Static_assert(sizeof(struct pvs_wait_trace) == 24 + 13 * 184 + 32 * 48, "trace");
_Static_assert(sizeof(struct pvs_wait_trace) < 4096, "one page");
