// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/aside_slices.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/clock.h"
#include "util/procfs.h"

extern char **environ;

#define LIST_MAX 8192

/* So many systemctl run at once. */
#define TOGETHER 16

/* Until all groups are as told; systemd may have little of the CPUs that are left. */
#define WAIT_NS (3 * NSEC_PER_SEC)

static void path_of(const struct aside_places *places, const char *unit, const char *file,
                    char ret[PATH_MAX])
{
	snprintf(ret, PATH_MAX, "%s/%s/%s", places->cgroup, unit, file);
}

/* Units at the top of the hierarchy are slices, and the scope of systemd itself. */
static bool is_unit(const char *name)
{
	size_t size = strlen(name);

	return size > 6 && size < ASIDE_NAME_MAX && !strpbrk(name, " \n") &&
	       (strcmp(name + size - 6, ".slice") == 0 || strcmp(name + size - 6, ".scope") == 0);
}

static const char *next_unit(DIR *dir)
{
	const struct dirent *entry;

	while ((entry = readdir(dir)))
		if (is_unit(entry->d_name))
			return entry->d_name;
	return NULL;
}

bool aside_cpuset_exists(const struct aside_places *places)
{
	char path[PATH_MAX], text[1024], *rest = text;
	const char *word;
	ssize_t n;

	snprintf(path, sizeof(path), "%s/cgroup.controllers", places->cgroup);
	n = procfs_read_file(path, text, sizeof(text) - 1);
	if (n < 0)
		return false;
	text[n] = '\0';
	while ((word = strsep(&rest, " \n")))
		if (strcmp(word, "cpuset") == 0)
			return true;
	return false;
}

bool aside_cpuset_enabled(const struct aside_places *places)
{
	DIR *dir CLEANUP(cleanup_dir) = opendir(places->cgroup);
	char path[PATH_MAX];
	const char *unit;

	while (dir && (unit = next_unit(dir))) {
		path_of(places, unit, "cpuset.cpus", path);
		if (access(path, F_OK) < 0)
			return false;
	}
	return dir;
}

static bool exists(const struct aside_places *places, const char *unit)
{
	char path[PATH_MAX];

	path_of(places, unit, "cgroup.procs", path);
	return access(path, F_OK) == 0;
}

/* What AllowedCPUs is: empty if it is not set, or cpuset is not enabled. */
static int read_now(const struct aside_places *places, const char *unit, struct cpu_set_bits *ret)
{
	char path[PATH_MAX];
	int r;

	path_of(places, unit, "cpuset.cpus", path);
	r = aside_read_list(path, ret);
	if (r == -ENOENT)
		*ret = CPU_SET_BITS_NULL;
	return r == -ENOENT ? 0 : r;
}

/* Returns 1 if the unit cannot leave out these CPUs; 0; -errno. */
static int plan_unit(const struct aside_places *places, const char *unit,
                     const struct cpu_set_bits *online, const struct cpu_set_bits *avoided,
                     struct aside_record *record)
{
	struct aside_entry *entry = aside_record_find(record, ASIDE_SLICE, unit);
	struct cpu_set_bits now, ours;
	int r = read_now(places, unit, &now);

	if (r < 0)
		return r;
	if (!entry) {
		entry = aside_record_add(record, ASIDE_SLICE, unit);
		if (!entry)
			return -ENOMEM;
		entry->prior = entry->ours = now;
	} else if (!record->changing && !cpu_set_bits_equal(&now, &entry->ours)) {
		entry->prior = now; /* another program's, since */
	}
	ours = cpu_set_bits_empty(&entry->prior) ? *online : entry->prior;
	aside_set_remove(&ours, avoided);
	if (cpu_set_bits_empty(&ours))
		ours = entry->prior;
	entry->ours = ours;
	return cpu_set_bits_equal(&ours, &entry->prior);
}

int aside_slices_plan(const struct aside_places *places, const struct cpu_set_bits *online,
                      const struct cpu_set_bits *avoided, struct aside_record *record)
{
	/* what may begin while CPUs are avoided: a login, a container */
	static const char *const later[] = {"user.slice", "machine.slice"};
	DIR *dir CLEANUP(cleanup_dir) = opendir(places->cgroup);
	const char *unit;
	int n = 0;

	if (!dir)
		return -errno;
	while ((unit = next_unit(dir))) {
		int r = plan_unit(places, unit, online, avoided, record);

		if (r < 0)
			return r;
		n += r;
	}
	for (size_t i = 0; i < ARRAY_SIZE(later); i++) {
		int r = exists(places, later[i])
		                ? 0
		                : plan_unit(places, later[i], online, avoided, record);

		if (r < 0)
			return r;
	}
	return n;
}

/* Begins systemctl. Returns its PID, or -errno. */
static pid_t start(const struct aside_places *places, const struct aside_entry *entry, bool back)
{
	char list[LIST_MAX], value[LIST_MAX + 32];
	char *const argv[] = {(char *)"systemctl",
	                      (char *)"--no-ask-password",
	                      (char *)"--quiet",
	                      (char *)"set-property",
	                      (char *)"--runtime",
	                      (char *)"--",
	                      (char *)entry->name,
	                      value,
	                      NULL};
	posix_spawn_file_actions_t files;
	pid_t pid;
	int r;

	cpulist_format(back ? &entry->prior : &entry->ours, list, sizeof(list));
	snprintf(value, sizeof(value), "AllowedCPUs=%s", list);
	r = posix_spawn_file_actions_init(&files);
	if (r)
		return -r;
	/* what it prints is for the journal; this process's output is its outcome */
	posix_spawn_file_actions_adddup2(&files, STDERR_FILENO, STDOUT_FILENO);
	r = posix_spawnp(&pid, places->systemctl, &files, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&files);
	return r ? -r : pid;
}

static bool has_ended_well(pid_t pid)
{
	int status;
	pid_t r;

	do
		r = waitpid(pid, &status, 0);
	while (r < 0 && errno == EINTR);
	return r == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/*
 * A group of a unit that has no tasks may be gone; then there is nothing that could be wrong.
 */
static bool is_as_told(const struct aside_places *places, const struct aside_entry *entry,
                       bool back)
{
	const struct cpu_set_bits *told = back ? &entry->prior : &entry->ours;
	struct cpu_set_bits now;

	if (!exists(places, entry->name))
		return true;
	return read_now(places, entry->name, &now) == 0 && cpu_set_bits_equal(&now, told);
}

/*
 * systemd answers, and changes the group after that. A kernel that refuses the set, as with a
 * deadline task, is said in systemd's log alone.
 */
static bool becomes_as_told(const struct aside_places *places, const struct aside_entry *entry,
                            bool back, uint64_t until_ns)
{
	static const struct timespec pause = {.tv_nsec = 10000000};

	while (!is_as_told(places, entry, back)) {
		if (clock_now_ns() >= until_ns)
			return false;
		nanosleep(&pause, NULL);
	}
	return true;
}

static void complain(const struct aside_entry *entry, bool asked)
{
	fprintf(stderr, "pvsched-agent: AllowedCPUs of %s: %s\n", entry->name,
	        asked ? "the kernel has not taken it" : "systemctl failed");
}

/* Whether it has to be asked for at all; what is not ours any more is gone. */
static bool is_to_change(const struct aside_places *places, const struct aside_record *record,
                         struct aside_entry *entry, bool back)
{
	struct cpu_set_bits now;

	if (entry->kind != ASIDE_SLICE || entry->gone)
		return false;
	if (!back)
		return true;
	if (record->changing || !exists(places, entry->name) ||
	    read_now(places, entry->name, &now) < 0 || cpu_set_bits_equal(&now, &entry->ours))
		return true;
	entry->gone = true;
	return false;
}

unsigned int aside_slices_apply(const struct aside_places *places, struct aside_record *record,
                                bool back)
{
	struct aside_entry *entries[TOGETHER];
	pid_t pids[TOGETHER];
	unsigned int failed = 0;
	size_t at = 0;

	while (at < record->n) {
		uint64_t until_ns = clock_now_ns() + WAIT_NS;
		size_t n = 0;

		for (; at < record->n && n < TOGETHER; at++) {
			if (!is_to_change(places, record, &record->entries[at], back))
				continue;
			entries[n] = &record->entries[at];
			pids[n] = start(places, entries[n], back);
			n++;
		}
		for (size_t i = 0; i < n; i++) {
			bool asked = pids[i] > 0 && has_ended_well(pids[i]);
			bool good = asked && becomes_as_told(places, entries[i], back, until_ns);

			failed += !good;
			if (!good)
				complain(entries[i], asked);
			entries[i]->gone = good && (back || cpu_set_bits_equal(&entries[i]->ours,
			                                                       &entries[i]->prior));
		}
	}
	return failed;
}
