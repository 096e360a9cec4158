/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The processes of this host, and what was thought of each when it was last looked at: so that a
 * look costs something for new ones only.
 */

#include <sys/types.h>

#include "util/base.h"

/** One process, not QEMU or not looked after. */
struct process_entry {
	pid_t pid;
	uint8_t verdict; /* enum process_verdict, or of whoever keeps the list; 0: not looked at */
	uint8_t looks;   /* how often it was looked at */
};

struct process_list {
	size_t n;
	struct process_entry *entries; /* by pid */
};

/** More processes than this are not looked at; PID_MAX_LIMIT is four million. */
#define PROCESS_LIST_MAX 262144

/**
 * How often a new process is looked at: it may be about to execute QEMU.
 */
#define PROCESS_LOOKS 2

/**
 * Reads the list anew; what is known of those that are still there is kept, unless @forget.
 * Returns 0; -E2BIG when there are more, the first PROCESS_LIST_MAX being kept; -errno.
 */
int process_list_read(struct process_list *list, bool forget);

/**
 * The entry of a process, made where it was not there at the last reading.
 * Outcomes: NULL when there is no room or memory.
 */
struct process_entry *process_list_get(struct process_list *list, pid_t pid);

/** Empties it. */
void process_list_clear(struct process_list *list);
