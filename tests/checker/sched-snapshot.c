/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sched-snapshot: what every thread of the machine has from the scheduler, and what the cgroups of
 * virtual machines say, before and after. Independent on purpose: it shares no line with the daemon
 * whose work it checks.
 *
 *	sched-snapshot save FILE [--pid PID]...
 *	sched-snapshot compare FILE [--pid PID]... [--except TID]... [--ignore-new] [--json]
 *
 * compare looks at the threads that are in FILE and still there (the same tid and start time). It
 * prints one line per difference; exit status 0: none, 1: some, 2: it could not do its work.
 *
 * Compared: policy, flags (reset on fork, ...), nice, priority, runtime (the slice of a fair
 *thread), deadline, period, utilisation clamps, timer slack, affinity, cpu and cpuset cgroup; of
 *cgroups below machine and machine.slice (same path, same inode) the values in `knobs`, and the
 *limits on real-time time of the root group and of /proc/sys.
 *
 * Not compared, because others change them all the time:
 *   names of threads; threads and cgroups that came or went (but see below);
 *   kworker/N: everything, as workers move between pools with other attributes;
 *   other kernel threads: affinity, timer slack and cgroup (CPU hotplug, cpusets), and the slice:
 *   one that has not run since all CPUs came up still has the slice of a host with one CPU;
 *   `--except` threads.
 * A thread with a real-time or deadline class that was not in FILE is reported if its process, or
 *the parent of that, is a QEMU or pvschedd: nothing else would notice that it was born boosted.
 */
#include "snapshot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const field_names[N_FIELDS] = {
        "policy", "flags",    "nice",     "priority",      "runtime",  "deadline",
        "period", "util_min", "util_max", "timerslack_ns", "affinity", "cgroup",
};

static bool json;
static size_t n_differences;

static void print_string(const char *text)
{
	putchar('"');
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\')
			printf("\\%c", c);
		else if (c < 32 || c > 126)
			printf("\\u%04x", c); /* bytes, not characters: this is for tests */
		else
			putchar(c);
	}
	putchar('"');
}

/* @t or @path is NULL */
static void differ(const struct thread *t, const char *path, const char *what, const char *before,
                   const char *after)
{
	n_differences++;
	if (!json) {
		if (t)
			printf("thread %d (%s) of process %d: %s was %s, is %s\n", t->tid, t->comm,
			       t->tgid, what, before, after);
		else
			printf("%s was %s, is %s\n", path, before, after);
		return;
	}
	printf("%s\n    {", n_differences > 1 ? "," : "");
	if (t) {
		printf("\"tid\": %d, \"pid\": %d, \"comm\": ", t->tid, t->tgid);
		print_string(t->comm);
	} else {
		printf("\"path\": ");
		print_string(path);
	}
	printf(", \"what\": ");
	print_string(what);
	printf(", \"before\": ");
	print_string(before);
	printf(", \"after\": ");
	print_string(after);
	putchar('}');
}

static bool is_ignored(const struct thread *t, enum field field)
{
	if (!t->kernel)
		return false;
	return strncmp(t->comm, "kworker/", 8) == 0 || field == AFFINITY || field == SLACK ||
	       field == CGROUP || (field == RUNTIME && strcmp(t->values[POLICY], "OTHER") == 0);
}

static int by_tid(const void *a, const void *b)
{
	const struct thread *x = a, *y = b;

	return (x->tid > y->tid) - (x->tid < y->tid);
}

static const struct thread *find(const struct snapshot *s, const struct thread *t)
{
	const struct thread *found = bsearch(t, s->threads, s->n_threads, sizeof(*t), by_tid);

	return found && found->start == t->start ? found : NULL;
}

static bool is_suspect_process(int pid)
{
	char path[64], name[VALUE_MAX] = "", *base;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	n = readlink(path, name, sizeof(name) - 1);
	name[n > 0 ? n : 0] = 0;
	base = strrchr(name, '/');
	base = base ? base + 1 : name;
	if (strncmp(base, "qemu-system", 11) == 0 || strncmp(base, "pvschedd", 8) == 0)
		return true;
	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	return snapshot_read_text(path, name, sizeof(name)) &&
	       (strncmp(name, "qemu-system", 11) == 0 || strcmp(name, "pvschedd") == 0);
}

static int parent_of(int pid)
{
	char path[64], text[VALUE_MAX], *line;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	line = snapshot_read_text(path, text, sizeof(text)) ? strstr(text, "\nPPid:\t") : NULL;
	return line ? atoi(line + 7) : 0;
}

static void check_new(const struct thread *t)
{
	char class[64];

	if (strcmp(t->values[POLICY], "FIFO") != 0 && strcmp(t->values[POLICY], "RR") != 0 &&
	    strcmp(t->values[POLICY], "DEADLINE") != 0)
		return;
	if (t->kernel || (!is_suspect_process(t->tgid) && !is_suspect_process(parent_of(t->tgid))))
		return;
	snprintf(class, sizeof(class), "%s %s", t->values[POLICY], t->values[PRIORITY]);
	differ(t, NULL, "existence", "none", class);
}

static void compare_threads(const struct snapshot *old, const struct snapshot *new,
                            const struct ids *except, bool ignore_new)
{
	for (size_t i = 0; i < new->n_threads; i++) {
		const struct thread *now = &new->threads[i], *then = find(old, now);

		if (snapshot_has_id(except, now->tid))
			continue;
		if (!then && !ignore_new)
			check_new(now);
		for (int f = 0; then && f < N_FIELDS; f++)
			if (!is_ignored(now, (enum field)f) &&
			    strcmp(then->values[f], now->values[f]) != 0)
				differ(now, NULL, field_names[f], then->values[f], now->values[f]);
	}
}

static void compare_knobs(const struct snapshot *old, const struct snapshot *new)
{
	for (size_t i = 0; i < new->n_knobs; i++) {
		const struct knob *now = &new->knobs[i];

		for (size_t j = 0; j < old->n_knobs; j++) {
			const struct knob *then = &old->knobs[j];

			if (then->inode == now->inode && strcmp(then->path, now->path) == 0 &&
			    strcmp(then->value, now->value) != 0)
				differ(NULL, now->path, "value", then->value, now->value);
		}
	}
}

static void compare(struct snapshot *old, const struct snapshot *new, const struct ids *except,
                    bool ignore_new)
{
	qsort(old->threads, old->n_threads, sizeof(*old->threads), by_tid);
	if (json)
		printf("{\"differences\": [");
	compare_threads(old, new, except, ignore_new);
	compare_knobs(old, new);
	if (json)
		printf("%s], \"threads_before\": %zu, \"threads_now\": %zu}\n",
		       n_differences ? "\n  " : "", old->n_threads, new->n_threads);
}

/* LeakSanitizer asks. What is kept is kept to the end, which comes at once. */
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
	return 1;
}

static int usage(void)
{
	fputs("Usage: sched-snapshot save FILE [--pid PID]...\n"
	      "       sched-snapshot compare FILE [--pid PID]... [--except TID]... [--ignore-new] "
	      "[--json]\n",
	      stderr);
	return 2;
}

/* 0, or 2 when it is not understood */
static int parse(char **argv, struct ids *pids, struct ids *except, bool *ignore_new)
{
	for (char **arg = argv; *arg; arg++) {
		struct ids *ids = strcmp(*arg, "--pid") == 0      ? pids
		                  : strcmp(*arg, "--except") == 0 ? except
		                                                  : NULL;

		if (ids && arg[1] && atoi(arg[1]) > 0 && ids->n < IDS_MAX)
			ids->ids[ids->n++] = atoi(*++arg);
		else if (strcmp(*arg, "--ignore-new") == 0)
			*ignore_new = true;
		else if (strcmp(*arg, "--json") == 0)
			json = true;
		else
			return usage();
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct snapshot old = {0}, new = {0};
	struct ids pids = {0}, except = {0};
	bool ignore_new = false;

	if (argc < 3 || parse(argv + 3, &pids, &except, &ignore_new))
		return argc < 3 ? usage() : 2;
	if (strcmp(argv[1], "save") == 0) {
		snapshot_take(&new, &pids);
		snapshot_save(&new, argv[2]);
		return 0;
	}
	if (strcmp(argv[1], "compare") != 0)
		return usage();
	snapshot_load(&old, argv[2]);
	snapshot_take(&new, &pids);
	compare(&old, &new, &except, ignore_new);
	return n_differences ? 1 : 0;
}
