/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The records of the ledger: what was changed, and what it was before. Plain data. */

#include <sys/types.h>

#include "boost/sched.h"
#include "util/base.h"

#define LEDGER_THREADS_MAX 4096 /* of each kind, one for each vCPU slot */
#define LEDGER_GROUPS_MAX  512
#define LEDGER_REGIONS_MAX 1024 /* one for each slot of a domain */
#define LEDGER_PATH_MAX    1280
#define LEDGER_MOUNT_MAX   256

/** A boosted thread. */
struct ledger_thread {
	pid_t tid;
	pid_t leader; /* of its process, whose TID it has after execve(); 0: not to be looked at */
	uint64_t start_ticks;
	struct sched_state before;
	struct sched_boost given;
};

/**
 * A thread that was given a slice, a clamp, or both, and SCHED_RESET_ON_FORK. Before, it had
 * neither a slice nor a clamp of its own.
 */
struct ledger_standing {
	pid_t tid;
	pid_t leader; /* as in struct ledger_thread */
	uint64_t start_ticks;
	uint64_t slice_ns;      /* given; 0: none */
	uint32_t util_min;      /* given; 0: none */
	uint32_t reset_on_fork; /* before */
};

/** A region of guest pages that was begun: its guest believes in a host. */
struct ledger_region {
	pid_t pid; /* of QEMU */
	uint32_t n_pages;
	uint64_t start_ticks; /* of QEMU */
	uint64_t generation;
};

/** The name of the attribute that records are of: the RT budget of a group, an integer. */
#define LEDGER_ATTRIBUTE "cpu.rt_runtime_us"

/** That attribute of one group. */
struct ledger_group {
	char path[LEDGER_PATH_MAX]; /* of its file: mount point, group, LEDGER_ATTRIBUTE */
	uint64_t mount_size;        /* bytes of it that are the mount point of the hierarchy */
	uint64_t inode;             /* of its directory: a new group of that name is another one */
	int64_t before;
	int64_t written;
	int64_t was; /* what it had just before `written`: as much ours, should we die in between */
};
