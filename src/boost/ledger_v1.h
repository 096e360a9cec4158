/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The ledger as version 1 wrote it, for ledger_old.c and its test. It differs from the present one
 * in that a custom slice was recorded, and in the checksum.
 */

#include "boost/ledger_file.h"

struct ledger_v1_state {
	uint32_t policy;
	uint32_t priority;
	int32_t nice;
	uint32_t reset_on_fork;
	uint64_t slice_ns;
	uint64_t slack_ns;
};

struct ledger_v1_thread {
	pid_t tid;
	uint64_t start_ticks;
	struct ledger_v1_state before;
	struct sched_boost given;
};

struct ledger_v1_file {
	char magic[8];
	uint32_t version;
	_Atomic uint32_t guardian_acts;
	_Atomic uint32_t sequence;
	_Atomic uint32_t owner;
	char boot_id[48];
	struct {
		struct ledger_mark mark;
		struct ledger_v1_thread thread;
	} threads[LEDGER_THREADS_MAX];
	struct ledger_group_slot groups[LEDGER_GROUPS_MAX];
};

/* FNV-1a by bytes. */
static inline uint32_t ledger_v1_checksum(const void *data, size_t size)
{
	const unsigned char *bytes = data;
	uint32_t sum = 2166136261U;

	for (size_t i = 0; i < size; i++)
		sum = (sum ^ bytes[i]) * 16777619U;
	return sum;
}
