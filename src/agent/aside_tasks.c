// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/aside_tasks.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "util/cleanup.h"
#include "util/procfs.h"

#define PROCESSES_MAX 4194304 /* the most PIDs that there can be */
#define THREADS_MAX   65536

/* PF_NO_SETAFFINITY of the kernel, in `flags` of its threads that are bound to a CPU. */
#define FLAG_NO_SETAFFINITY 0x04000000u

/* The kernel's words are those of a set. */
static int affinity_of(pid_t tid, struct cpu_set_bits *ret)
{
	*ret = CPU_SET_BITS_NULL;
	return sched_getaffinity(tid, sizeof(ret->words), (void *)ret->words) < 0 ? -errno : 0;
}

struct scan {
	int (*fn)(struct scan *scan, pid_t pid, pid_t tid, const struct cpu_set_bits *affinity);
	const struct cpu_set_bits *wanted;
	const struct aside_tasks *tasks;
	struct aside_bound *bound;
	struct aside_record *record;
	bool kernel; /* the process is a thread of the kernel */
	pid_t tids[THREADS_MAX];
};

/* One that is bound to its CPU, or goes where its interrupt does, is where it has to be. */
static bool is_movable(const struct procfs_stat *stat)
{
	return !(stat->flags & FLAG_NO_SETAFFINITY) && strncmp(stat->comm, "irq/", 4) != 0;
}

/* A thread that ends meanwhile is passed over. */
static int scan_process(pid_t pid, void *userdata)
{
	struct scan *scan = userdata;
	struct cpu_set_bits affinity;
	struct procfs_stat stat;
	size_t n = 0, more;
	int r = 0;

	if (procfs_stat(pid, pid, &stat) < 0)
		return 0;
	scan->kernel = stat.flags & PROCFS_FLAG_KTHREAD;
	if (scan->kernel ? !is_movable(&stat) : scan->tasks && !scan->tasks->users)
		return 0;
	if (procfs_list_threads(pid, scan->tids, THREADS_MAX, &n, &more) < 0)
		return 0;
	for (size_t i = 0; r == 0 && i < n; i++)
		if (affinity_of(scan->tids[i], &affinity) == 0)
			r = scan->fn(scan, pid, scan->tids[i], &affinity);
	return r;
}

static int count_bound(struct scan *scan, pid_t pid, pid_t tid, const struct cpu_set_bits *affinity)
{
	(void)pid;
	(void)tid;
	if (scan->kernel || !cpu_set_bits_subset(affinity, scan->wanted))
		return 0;
	scan->bound->tasks++;
	for (size_t i = 0; i < CPU_SET_BITS_WORDS; i++)
		scan->bound->cpus.words[i] |= affinity->words[i];
	return 0;
}

int aside_tasks_bound(const struct cpu_set_bits *wanted, struct aside_bound *ret)
{
	struct scan *scan CLEANUP(cleanup_free) = calloc(1, sizeof(*scan));

	*ret = (struct aside_bound){0};
	if (!scan)
		return -ENOMEM;
	scan->fn = count_bound;
	scan->wanted = wanted;
	scan->bound = ret;
	return procfs_each_process(PROCESSES_MAX, scan_process, scan);
}

/* A thread of the kernel that may not run there has nothing to be moved from. */
static bool is_noted(const struct scan *scan, const struct cpu_set_bits *affinity)
{
	struct cpu_set_bits shared = *affinity;

	if (!scan->kernel)
		return !cpu_set_bits_equal(affinity, scan->tasks->full);
	aside_set_keep(&shared, scan->wanted);
	return !cpu_set_bits_empty(&shared);
}

/* The kernel tells of CPUs that are online alone: one that may run on all may do so for ever. */
static struct cpu_set_bits prior_of(const struct scan *scan, const struct cpu_set_bits *affinity)
{
	struct cpu_set_bits prior = *affinity;

	if (scan->kernel && cpu_set_bits_subset(scan->tasks->online, affinity))
		memset(&prior, 0xff, sizeof(prior));
	return prior;
}

/* What a task chose meanwhile is its own. */
static int note(struct scan *scan, pid_t pid, pid_t tid, const struct cpu_set_bits *affinity)
{
	struct thread_id thread = {.tid = tid};
	struct aside_entry *entry;

	if (procfs_start_ticks(pid, tid, &thread.start_ticks) < 0)
		return 0;
	entry = aside_record_task(scan->record, &thread);
	if (!entry && !is_noted(scan, affinity))
		return 0;
	if (!entry) {
		entry = aside_record_add(scan->record, scan->kernel ? ASIDE_KTHREAD : ASIDE_TASK,
		                         "");
		if (!entry)
			return -ENOMEM;
		entry->thread = thread;
		entry->prior = prior_of(scan, affinity);
	} else if (!scan->record->changing && !cpu_set_bits_equal(affinity, &entry->ours) &&
	           !cpu_set_bits_equal(affinity, scan->tasks->full)) {
		entry->prior = prior_of(scan, affinity);
	}
	entry->ours = entry->prior;
	aside_set_remove(&entry->ours, scan->wanted);
	aside_set_keep(&entry->ours, scan->tasks->online);
	if (cpu_set_bits_empty(&entry->ours))
		entry->ours = entry->prior;
	return 0;
}

int aside_tasks_note(const struct aside_tasks *tasks, const struct cpu_set_bits *avoided,
                     struct aside_record *record)
{
	struct scan *scan CLEANUP(cleanup_free) = calloc(1, sizeof(*scan));

	if (!scan)
		return -ENOMEM;
	scan->fn = note;
	scan->wanted = avoided;
	scan->tasks = tasks;
	scan->record = record;
	return procfs_each_process(PROCESSES_MAX, scan_process, scan);
}

unsigned int aside_tasks_apply(struct aside_record *record, bool back)
{
	unsigned int n = 0;

	for (size_t i = 0; i < record->n; i++) {
		struct aside_entry *entry = &record->entries[i];
		const struct cpu_set_bits *set = back ? &entry->prior : &entry->ours;

		if ((entry->kind != ASIDE_TASK && entry->kind != ASIDE_KTHREAD) || entry->gone)
			continue;
		entry->gone = back || !thread_id_is_alive(&entry->thread);
		if (thread_id_is_alive(&entry->thread) &&
		    sched_setaffinity(entry->thread.tid, sizeof(set->words),
		                      (const void *)set->words) == 0)
			n += entry->kind == ASIDE_TASK;
	}
	return n;
}
