/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The processes of this host, with the verdict of the last look at each, so that only new ones cost
 * a look.
 */

#include <sys/types.h>

#include "util/base.h"

/** One process. */
struct process_entry {
	pid_t pid;
	uint8_t verdict; /* enum process_verdict, or a value of the list's owner; 0: none yet */
	uint8_t looks;   /* how often it was looked at */
};

struct process_list {
	size_t n;
	struct process_entry *entries; /* by pid */
};

/** More processes than this are not looked at; PID_MAX_LIMIT is four million. */
#define PROCESS_LIST_MAX 262144

/** Looks at a new process: it may be about to execute QEMU. */
#define PROCESS_LOOKS 2

/**
 * Reads the list again. Processes that still exist keep what is known of them, unless @forget.
 * Returns 0; -E2BIG when there are more, with the first PROCESS_LIST_MAX kept; -errno.
 */
int process_list_read(struct process_list *list, bool forget);

/** Finds the entry of a process, or adds one. Returns NULL when there is no room or memory. */
struct process_entry *process_list_get(struct process_list *list, pid_t pid);

/** Empties it. */
void process_list_clear(struct process_list *list);
