/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Tasks' own affinities. From Linux 6.2 on the kernel keeps what a task asked for, beside what its
 * cpuset allows, and gives it back. Before, a cpuset that changes gives each of its tasks all of
 * its CPUs: then what each had is noted before and given back after. Threads of the kernel are in
 * no unit: those that may be moved, and follow no interrupt or workqueue, get another affinity in
 * any case.
 */

#include "agent/aside_record.h"

struct aside_bound {
	uint32_t tasks;           /* that may run on no other CPU than @wanted ... */
	struct cpu_set_bits cpus; /* ... and where these may run: in use */
};

/** Which tasks are bound to @wanted alone. Returns 0, or -errno. */
int aside_tasks_bound(const struct cpu_set_bits *wanted, struct aside_bound *ret);

struct aside_tasks {
	const struct cpu_set_bits *online;
	const struct cpu_set_bits *full; /* an affinity that is no task's own */
	bool users; /* tasks of users are noted, since the kernel does not keep what they asked for
	             */
};

/**
 * Notes each thread of the kernel that may run on @avoided, and each task that has an affinity of
 * its own, with what it is to have while @avoided is left out; what is noted already is brought up
 * to date. Returns 0, or -errno.
 */
int aside_tasks_note(const struct aside_tasks *tasks, const struct cpu_set_bits *avoided,
                     struct aside_record *record);

/**
 * Gives each its affinity of ours; with @back, its own: those are gone then. Returns how many tasks
 * of users there are.
 */
unsigned int aside_tasks_apply(struct aside_record *record, bool back);
