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
 *   other kernel threads: affinity, timer slack and cgroup (CPU hotplug, cpusets);
 *   `--except` threads.
 * A thread with a real-time or deadline class that was not in FILE is reported if its process, or
 *the parent of that, is a QEMU or pvschedd: nothing else would notice that it was born boosted.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <linux/sched/types.h>
#include <mntent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define IDS_MAX     64
#define VALUE_MAX   4096
#define PF_KTHREAD_ 0x00200000ULL /* include/linux/sched.h */
#define FIRST_LINE  "sched-snapshot 1\n"

enum field {
	POLICY,
	FLAGS,
	NICE,
	PRIORITY,
	RUNTIME,
	DEADLINE,
	PERIOD,
	UTIL_MIN,
	UTIL_MAX,
	SLACK,
	AFFINITY,
	CGROUP,
	N_FIELDS,
};

static const char *const field_names[N_FIELDS] = {
        "policy", "flags",    "nice",     "priority",      "runtime",  "deadline",
        "period", "util_min", "util_max", "timerslack_ns", "affinity", "cgroup",
};

static const char *const policies[] = {"OTHER", "FIFO", "RR",       "BATCH",
                                       "ISO",   "IDLE", "DEADLINE", "EXT"};

static const char *const knobs[] = {
        "cpu.shares",       "cpu.cfs_quota_us", "cpu.cfs_period_us", "cpu.rt_runtime_us",
        "cpu.rt_period_us", "cpu.weight",       "cpu.weight.nice",   "cpu.idle",
        "cpu.max",          "cpu.max.burst",    "cpu.uclamp.min",    "cpu.uclamp.max",
        "cpuset.cpus",
};

struct thread {
	int tid, tgid;
	unsigned long long start;
	bool kernel;
	char *comm;
	char *values[N_FIELDS];
};

struct knob {
	unsigned long long inode;
	char *path;
	char *value;
};

struct snapshot {
	struct thread *threads;
	size_t n_threads;
	struct knob *knobs;
	size_t n_knobs;
};

struct ids {
	int ids[IDS_MAX];
	size_t n;
};

static struct snapshot *walked; /* nftw() has no argument to pass on */
static bool json;
static size_t n_differences;

static void die(const char *what, const char *name)
{
	fprintf(stderr, "sched-snapshot: %s '%s': %s\n", what, name, strerror(errno));
	exit(2);
}

static void *grow(void *array, size_t n, size_t size)
{
	if (n && (n & (n - 1)))
		return array;
	array = realloc(array, (n ? 2 * n : 1) * size);
	if (!array)
		die("no memory for", "the snapshot");
	return array;
}

static char *keep(const char *text)
{
	char *copy = strdup(text);

	if (!copy)
		die("no memory for", text);
	return copy;
}

static bool contains(const struct ids *ids, int id)
{
	for (size_t i = 0; i < ids->n; i++)
		if (ids->ids[i] == id)
			return true;
	return false;
}

/* A small file as a string without the last newline; false if it cannot be read. */
static bool read_text(const char *path, char *buffer, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, buffer, size - 1);

	if (fd >= 0)
		close(fd);
	if (n < 0)
		return false;
	while (n > 0 && buffer[n - 1] == '\n')
		n--;
	buffer[n] = 0;
	return true;
}

static void set(struct thread *t, enum field field, const char *format, unsigned long long value)
{
	char text[32];

	snprintf(text, sizeof(text), format, value);
	t->values[field] = keep(text);
}

static bool read_attributes(struct thread *t)
{
	struct sched_attr attr = {0};

	if (syscall(SYS_sched_getattr, t->tid, &attr, sizeof(attr), 0) < 0)
		return false;
	if (attr.sched_policy < sizeof(policies) / sizeof(policies[0]))
		t->values[POLICY] = keep(policies[attr.sched_policy]);
	else
		set(t, POLICY, "%llu", attr.sched_policy);
	set(t, FLAGS, "0x%llx", attr.sched_flags);
	set(t, NICE, "%lld", (unsigned long long)(long long)attr.sched_nice);
	set(t, PRIORITY, "%llu", attr.sched_priority);
	set(t, RUNTIME, "%llu", attr.sched_runtime);
	set(t, DEADLINE, "%llu", attr.sched_deadline);
	set(t, PERIOD, "%llu", attr.sched_period);
	set(t, UTIL_MIN, "%llu", attr.sched_util_min);
	set(t, UTIL_MAX, "%llu", attr.sched_util_max);
	return true;
}

/* The cgroups that say something about scheduling: cpu and cpuset of v1, and v2. */
static char *read_cgroups(int tid)
{
	char path[64], text[VALUE_MAX] = "", result[VALUE_MAX] = "", *line, *next;

	snprintf(path, sizeof(path), "/proc/%d/cgroup", tid);
	read_text(path, text, sizeof(text));
	for (line = strtok_r(text, "\n", &next); line; line = strtok_r(NULL, "\n", &next)) {
		char *names = strchr(line, ':'), *group = names ? strchr(names + 1, ':') : NULL;

		if (!group)
			continue;
		*group++ = 0;
		names++;
		if (*names && !strstr(names, "cpuset") && strcmp(names, "cpu") != 0 &&
		    strncmp(names, "cpu,", 4) != 0 && !strstr(names, ",cpu"))
			continue;
		snprintf(result + strlen(result), sizeof(result) - strlen(result), "%s%s:%s",
		         *result ? " " : "", names, group);
	}
	return keep(result);
}

static char *read_affinity(int tid)
{
	char path[64], text[VALUE_MAX] = "", *list;

	snprintf(path, sizeof(path), "/proc/%d/status", tid);
	read_text(path, text, sizeof(text));
	list = strstr(text, "\nCpus_allowed_list:\t");
	if (!list)
		return keep("?");
	list = strchr(list, '\t') + 1;
	list[strcspn(list, "\n")] = 0;
	return keep(list);
}

/* name, start time, kernel thread or not: /proc/TID/stat, whose name may hold anything */
static bool read_stat(struct thread *t)
{
	char path[64], text[VALUE_MAX], *open_, *close_, *field, *next;
	unsigned long long flags = 0;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", t->tgid, t->tid);
	if (!read_text(path, text, sizeof(text)))
		return false;
	open_ = strchr(text, '(');
	close_ = strrchr(text, ')');
	if (!open_ || !close_ || close_[1] != ' ')
		return false;
	*close_ = 0;
	t->comm = keep(open_ + 1);
	field = strtok_r(close_ + 2, " ", &next);
	for (int i = 3; field; i++, field = strtok_r(NULL, " ", &next)) {
		if (i == 9)
			flags = strtoull(field, NULL, 10);
		if (i == 22)
			t->start = strtoull(field, NULL, 10);
	}
	t->kernel = flags & PF_KTHREAD_;
	return true;
}

static void add_thread(struct snapshot *s, int tgid, int tid)
{
	struct thread t = {.tid = tid, .tgid = tgid};
	char path[64], slack[64] = "?";

	/* one that ends meanwhile is not there; what was kept of it is not worth freeing */
	if (!read_stat(&t) || !read_attributes(&t))
		return;
	snprintf(path, sizeof(path), "/proc/%d/timerslack_ns", tid);
	read_text(path, slack, sizeof(slack));
	t.values[SLACK] = keep(slack);
	t.values[AFFINITY] = read_affinity(tid);
	t.values[CGROUP] = read_cgroups(tid);
	s->threads = grow(s->threads, s->n_threads, sizeof(t));
	s->threads[s->n_threads++] = t;
}

static void each_number(const char *path, void (*call)(struct snapshot *, int, int),
                        struct snapshot *s, int tgid, const struct ids *only)
{
	DIR *dir = opendir(path);
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		int id = atoi(entry->d_name);

		if (isdigit((unsigned char)entry->d_name[0]) && (!only->n || contains(only, id)))
			call(s, tgid ? tgid : id, id);
	}
	if (dir)
		closedir(dir);
}

static void add_process(struct snapshot *s, int tgid, int pid)
{
	static const struct ids all;
	char path[64];

	(void)tgid;
	if (pid == getpid())
		return;
	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	each_number(path, add_thread, s, pid, &all);
}

static void add_knob(struct snapshot *s, const char *path, unsigned long long inode)
{
	char value[VALUE_MAX];

	if (!read_text(path, value, sizeof(value)))
		return;
	s->knobs = grow(s->knobs, s->n_knobs, sizeof(*s->knobs));
	s->knobs[s->n_knobs++] = (struct knob){inode, keep(path), keep(value)};
}

static int walk_group(const char *path, const struct stat *stat, int type, struct FTW *ftw)
{
	char file[VALUE_MAX];

	(void)ftw;
	if (type != FTW_D)
		return 0;
	for (size_t i = 0; i < sizeof(knobs) / sizeof(knobs[0]); i++)
		if (snprintf(file, sizeof(file), "%s/%s", path, knobs[i]) < (int)sizeof(file))
			add_knob(walked, file, stat->st_ino);
	return 0;
}

static void add_groups(struct snapshot *s)
{
	FILE *mounts = setmntent("/proc/self/mounts", "r");
	struct mntent *m;
	char path[VALUE_MAX];

	walked = s;
	while (mounts && (m = getmntent(mounts))) {
		if (strcmp(m->mnt_type, "cgroup2") != 0 &&
		    (strcmp(m->mnt_type, "cgroup") != 0 ||
		     (!hasmntopt(m, "cpu") && !hasmntopt(m, "cpuset"))))
			continue;
		snprintf(path, sizeof(path), "%s/cpu.rt_runtime_us", m->mnt_dir);
		add_knob(s, path, 0);
		snprintf(path, sizeof(path), "%s/machine", m->mnt_dir);
		nftw(path, walk_group, 16, FTW_PHYS);
		snprintf(path, sizeof(path), "%s/machine.slice", m->mnt_dir);
		nftw(path, walk_group, 16, FTW_PHYS);
	}
	if (mounts)
		endmntent(mounts);
	add_knob(s, "/proc/sys/kernel/sched_rt_runtime_us", 0);
	add_knob(s, "/proc/sys/kernel/sched_rt_period_us", 0);
}

static void take(struct snapshot *s, const struct ids *pids)
{
	each_number("/proc", add_process, s, 0, pids);
	add_groups(s);
}

/* In the file a value is what stands between two tabs; control characters and % are %XX. */
static void put(FILE *file, const char *text)
{
	putc('\t', file);
	for (; *text; text++) {
		if (iscntrl((unsigned char)*text) || *text == '%')
			fprintf(file, "%%%02X", (unsigned char)*text);
		else
			putc(*text, file);
	}
}

static void save(const struct snapshot *s, const char *name)
{
	FILE *file = fopen(name, "we");

	if (!file)
		die("cannot write", name);
	fputs(FIRST_LINE, file);
	for (size_t i = 0; i < s->n_threads; i++) {
		const struct thread *t = &s->threads[i];

		fprintf(file, "T\t%d\t%d\t%llu\t%d", t->tid, t->tgid, t->start, t->kernel);
		put(file, t->comm);
		for (int f = 0; f < N_FIELDS; f++)
			put(file, t->values[f]);
		putc('\n', file);
	}
	for (size_t i = 0; i < s->n_knobs; i++) {
		fprintf(file, "G\t%llu", s->knobs[i].inode);
		put(file, s->knobs[i].path);
		put(file, s->knobs[i].value);
		putc('\n', file);
	}
	if (fflush(file) || ferror(file) || fclose(file))
		die("cannot write", name);
}

/* The next value of a line; NULL at its end. */
static char *get(char **line)
{
	char *value = strsep(line, "\t"), *to = value;

	for (char *from = value; from && *from; from++, to++) {
		unsigned int byte;

		if (*from == '%' && sscanf(from + 1, "%2X", &byte) == 1) {
			*to = (char)byte;
			from += 2;
		} else {
			*to = *from;
		}
	}
	if (to)
		*to = 0;
	return value;
}

static bool load_line(struct snapshot *s, char *line)
{
	char *kind = get(&line), *values[5 + N_FIELDS];
	size_t n = 0, want = kind && *kind == 'T' ? 5 + N_FIELDS : 3;

	while (n < want && (values[n] = get(&line)))
		values[n] = keep(values[n]), n++;
	if (!kind || n < want || line)
		return false;
	if (*kind == 'G') {
		s->knobs = grow(s->knobs, s->n_knobs, sizeof(*s->knobs));
		s->knobs[s->n_knobs++] =
		        (struct knob){strtoull(values[0], NULL, 10), values[1], values[2]};
		return true;
	}
	s->threads = grow(s->threads, s->n_threads, sizeof(*s->threads));
	s->threads[s->n_threads] = (struct thread){
	        .tid = atoi(values[0]),
	        .tgid = atoi(values[1]),
	        .start = strtoull(values[2], NULL, 10),
	        .kernel = atoi(values[3]),
	        .comm = values[4],
	};
	memcpy(s->threads[s->n_threads++].values, values + 5, N_FIELDS * sizeof(char *));
	return true;
}

static void load(struct snapshot *s, const char *name)
{
	FILE *file = fopen(name, "re");
	char *line = NULL;
	size_t size = 0;

	if (!file)
		die("cannot read", name);
	if (getline(&line, &size, file) < 0 || strcmp(line, FIRST_LINE) != 0) {
		errno = EBADMSG;
		die("not a snapshot:", name);
	}
	while (getline(&line, &size, file) > 0) {
		line[strcspn(line, "\n")] = 0;
		if (!load_line(s, line)) {
			errno = EBADMSG;
			die("a line is damaged in", name);
		}
	}
	free(line);
	fclose(file);
}

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
	       field == CGROUP;
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
	return read_text(path, name, sizeof(name)) &&
	       (strncmp(name, "qemu-system", 11) == 0 || strcmp(name, "pvschedd") == 0);
}

static int parent_of(int pid)
{
	char path[64], text[VALUE_MAX], *line;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	line = read_text(path, text, sizeof(text)) ? strstr(text, "\nPPid:\t") : NULL;
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

		if (contains(except, now->tid))
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
		take(&new, &pids);
		save(&new, argv[2]);
		return 0;
	}
	if (strcmp(argv[1], "compare") != 0)
		return usage();
	load(&old, argv[2]);
	take(&new, &pids);
	compare(&old, &new, &except, ignore_new);
	return n_differences ? 1 : 0;
}
