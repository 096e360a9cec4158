/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The ledger as it is in its file, and the writing of records. For ledger.c, and for tests that
 * damage it.
 */

#include <stdatomic.h>

#include "boost/ledger_record.h"

#define LEDGER_MAGIC   "pvsledg"
#define LEDGER_VERSION 5

#define LEDGER_FREE 0

struct ledger_mark {
	/*
	 * LEDGER_FREE, or a number that no record had before. It is written last when a record is
	 * made, and first when it is dropped. By this number a record that was given back is
	 * dropped, and not one that was written to the same place since.
	 */
	_Atomic uint32_t state;
	uint32_t checksum;
};

struct ledger_thread_slot {
	struct ledger_mark mark;
	struct ledger_thread thread;
};

struct ledger_standing_slot {
	struct ledger_mark mark;
	struct ledger_standing standing;
};

struct ledger_region_slot {
	struct ledger_mark mark;
	struct ledger_region region;
};

struct ledger_group_slot {
	struct ledger_mark mark;
	struct ledger_group group;
};

/*
 * Magic, version and boot ID keep their places in every version: by these a pvschedd recognizes the
 * ledger of another version, of which it knows nothing else.
 */
struct ledger_header {
	char magic[8];
	uint32_t version;
	_Atomic uint32_t guardian_acts;
	_Atomic uint32_t sequence; /* the last number given to a record */
	_Atomic uint32_t owner;    /* counts the daemons that had it */
	char boot_id[48];
};

struct ledger_file {
	struct ledger_header header;
	struct ledger_thread_slot threads[LEDGER_THREADS_MAX];
	struct ledger_standing_slot standing[LEDGER_THREADS_MAX];
	struct ledger_group_slot groups[LEDGER_GROUPS_MAX];
	struct ledger_region_slot regions[LEDGER_REGIONS_MAX];
};

/**
 * Maps the ledger that is there. Returns 0 and *ret; -EBADMSG when it is not valid; -EPROTO when it
 * is of this boot and of another version; -errno.
 */
int ledger_file_open(const char *path, struct ledger_file **ret);

/** Makes an empty one where there is no file, and maps it. Returns 0 and *ret, or -errno. */
int ledger_file_make(const char *path, struct ledger_file **ret);

/** The number of the record that is there, if it is whole; else LEDGER_FREE. */
uint32_t ledger_mark_number(const struct ledger_mark *mark, const void *record, size_t size);

/** Drops the record that is there. */
void ledger_mark_drop(struct ledger_mark *mark);

/** Drops the record with that number, and none that was written since. */
void ledger_mark_drop_if(struct ledger_mark *mark, uint32_t number);

/** As ledger_put_thread(). */
void ledger_file_put_thread(struct ledger_file *file, unsigned int slot,
                            const struct ledger_thread *thread);

/** As ledger_put_standing(). */
void ledger_file_put_standing(struct ledger_file *file, unsigned int slot,
                              const struct ledger_standing *standing);

/** As ledger_put_region(). */
void ledger_file_put_region(struct ledger_file *file, unsigned int slot,
                            const struct ledger_region *region);

/** As ledger_put_group(). */
int ledger_file_put_group(struct ledger_file *file, const struct ledger_group *group);

/** The record of the group's attribute @path; NULL: there is none. */
struct ledger_group_slot *ledger_file_find_group(struct ledger_file *file, const char *path);
