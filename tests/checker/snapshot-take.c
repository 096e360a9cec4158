/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Takes a snapshot of the machine from /proc, sched_getattr() and the cgroup file systems. */
#include "snapshot.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/sched/types.h>
#include <mntent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PF_KTHREAD_ 0x00200000ULL /* include/linux/sched.h */

static const char *const policies[] = {"OTHER", "FIFO", "RR",       "BATCH",
                                       "ISO",   "IDLE", "DEADLINE", "EXT"};

static const char *const knobs[] = {
        "cpu.shares",       "cpu.cfs_quota_us", "cpu.cfs_period_us", "cpu.rt_runtime_us",
        "cpu.rt_period_us", "cpu.weight",       "cpu.weight.nice",   "cpu.idle",
        "cpu.max",          "cpu.max.burst",    "cpu.uclamp.min",    "cpu.uclamp.max",
        "cpuset.cpus",
};

static struct snapshot *walked; /* nftw() has no argument to pass on */

bool snapshot_read_text(const char *path, char *buffer, size_t size)
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
	t->values[field] = snapshot_keep(text);
}

static bool read_attributes(struct thread *t)
{
	struct sched_attr attr = {0};

	if (syscall(SYS_sched_getattr, t->tid, &attr, sizeof(attr), 0) < 0)
		return false;
	if (attr.sched_policy < sizeof(policies) / sizeof(policies[0]))
		t->values[POLICY] = snapshot_keep(policies[attr.sched_policy]);
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
	snapshot_read_text(path, text, sizeof(text));
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
	return snapshot_keep(result);
}

static char *read_affinity(int tid)
{
	char path[64], text[VALUE_MAX] = "", *list;

	snprintf(path, sizeof(path), "/proc/%d/status", tid);
	snapshot_read_text(path, text, sizeof(text));
	list = strstr(text, "\nCpus_allowed_list:\t");
	if (!list)
		return snapshot_keep("?");
	list = strchr(list, '\t') + 1;
	list[strcspn(list, "\n")] = 0;
	return snapshot_keep(list);
}

/* name, start time, kernel thread or not: /proc/TID/stat, whose name may hold anything */
static bool read_stat(struct thread *t)
{
	char path[64], text[VALUE_MAX], *open_, *close_, *field, *next;
	unsigned long long flags = 0;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", t->tgid, t->tid);
	if (!snapshot_read_text(path, text, sizeof(text)))
		return false;
	open_ = strchr(text, '(');
	close_ = strrchr(text, ')');
	if (!open_ || !close_ || close_[1] != ' ')
		return false;
	*close_ = 0;
	t->comm = snapshot_keep(open_ + 1);
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
	snapshot_read_text(path, slack, sizeof(slack));
	t.values[SLACK] = snapshot_keep(slack);
	t.values[AFFINITY] = read_affinity(tid);
	t.values[CGROUP] = read_cgroups(tid);
	s->threads = snapshot_grow(s->threads, s->n_threads, sizeof(t));
	s->threads[s->n_threads++] = t;
}

static void each_number(const char *path, void (*call)(struct snapshot *, int, int),
                        struct snapshot *s, int tgid, const struct ids *only)
{
	DIR *dir = opendir(path);
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		int id = atoi(entry->d_name);

		if (isdigit((unsigned char)entry->d_name[0]) &&
		    (!only->n || snapshot_has_id(only, id)))
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

	if (!snapshot_read_text(path, value, sizeof(value)))
		return;
	s->knobs = snapshot_grow(s->knobs, s->n_knobs, sizeof(*s->knobs));
	s->knobs[s->n_knobs++] = (struct knob){inode, snapshot_keep(path), snapshot_keep(value)};
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

void snapshot_take(struct snapshot *s, const struct ids *pids)
{
	each_number("/proc", add_process, s, 0, pids);
	add_groups(s);
}
