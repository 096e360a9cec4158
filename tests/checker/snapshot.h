/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Shared by sched-snapshot.c, snapshot-take.c and snapshot-file.c. Nothing of this is the daemon's.
 */

#include <stdbool.h>
#include <stddef.h>

#define IDS_MAX   64
#define VALUE_MAX 4096

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

/* Values are kept as the text that is compared and printed. */
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

/** All threads, or those of some processes, and the cgroups of virtual machines. */
void snapshot_take(struct snapshot *s, const struct ids *pids);

/** Writes and reads the file; a failure ends the program with status 2. */
void snapshot_save(const struct snapshot *s, const char *name);
void snapshot_load(struct snapshot *s, const char *name);

/** A small file as a string without the last newline; false if it cannot be read. */
bool snapshot_read_text(const char *path, char *buffer, size_t size);

bool snapshot_has_id(const struct ids *ids, int id);

/** An array with room for one more after @n; ends the program when out of memory. */
void *snapshot_grow(void *array, size_t n, size_t size);
char *snapshot_keep(const char *text);

/** "sched-snapshot: WHAT 'NAME': errno", status 2 */
void snapshot_die(const char *what, const char *name) __attribute__((noreturn));
