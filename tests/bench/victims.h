/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Several victims at once: threads of a process of their own, so that they can be moved to a group
 * by process on cgroup v1 and v2, while booster and guardian stay where they may be real-time.
 */

#include "duty.h"
#include "stamp.h"

#define VICTIMS_MAX         64
#define VICTIMS_SAMPLES_MAX (1U << 16) /* of each */

struct victims_options {
	unsigned int n;
	const unsigned int *cpus; /* where each stays; NULL: anywhere */
	struct duty duty;
	bool spread; /* their periods do not begin together: evenly, whoever is late meanwhile */
	uint64_t warm_ns, for_ns;
	const char *group; /* cgroup.procs of where they run */
	struct spinners spinners;
};

/** Shared with the victims. */
struct victims_results {
	struct stamp begin, end;
	uint64_t migrations; /* between these, of all */
	uint64_t go_ns;      /* when they were let live */
	pid_t tids[VICTIMS_MAX];
	size_t n[VICTIMS_MAX];
	uint64_t latency_ns[VICTIMS_MAX][VICTIMS_SAMPLES_MAX];
};

struct victims {
	pid_t pid;
	int go_fd, done_fd;
	struct victims_results *results;
};

/** Starts them; they wait, their tids are known. Returns 0, or -errno, having told on stderr. */
int victims_start(struct victims *victims, const struct victims_options *options);

/** Lets them live, and waits until the results are there. Returns as victims_start(). */
int victims_run(struct victims *victims);

/** Ends them, if there are any. */
void victims_end(struct victims *victims);
