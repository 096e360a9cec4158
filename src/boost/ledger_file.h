/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The ledger as it lies in its file: for ledger.c and ledger_old.c, and for tests that damage it.
 */

#include <stdatomic.h>

#include "boost/ledger.h"

#define LEDGER_MAGIC   "pvsledg"
#define LEDGER_VERSION 2

#define LEDGER_FREE 0

struct ledger_mark {
	/*
	 * LEDGER_FREE, or a number that no record had before: written last when a record is made,
	 * first when it is dropped. Who has given a record back drops that one, not its successor.
	 */
	_Atomic uint32_t state;
	uint32_t checksum;
};

struct ledger_thread_slot {
	struct ledger_mark mark;
	struct ledger_thread thread;
};

struct ledger_group_slot {
	struct ledger_mark mark;
	struct ledger_group group;
};

struct ledger_file {
	char magic[8];
	uint32_t version;
	_Atomic uint32_t guardian_acts;
	_Atomic uint32_t sequence; /* the last number given to a record */
	_Atomic uint32_t owner;    /* counts the daemons that had it */
	char boot_id[48];
	struct ledger_thread_slot threads[LEDGER_THREADS_MAX];
	struct ledger_group_slot groups[LEDGER_GROUPS_MAX];
};

/** Maps the ledger that is there. Returns 0 and *ret; -EBADMSG when it is not valid; -errno. */
int ledger_file_open(const char *path, struct ledger_file **ret);

/** Makes an empty one where there is no file, and maps it. Returns 0 and *ret, or -errno. */
int ledger_file_make(const char *path, struct ledger_file **ret);
