/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The ledger: what we changed and what it was before, in a file on tmpfs that outlives the daemon.
 * A record is complete before the change is made, and is dropped after the change was undone. So
 * the guardian, `pvschedd --restore` or the next daemon can give everything back at any moment.
 *
 * A foreign change stays: a thread or group that does not have the value that we wrote is left
 * alone, and its record is dropped.
 *
 * Daemon and guardian share the mapping. Only ledger_open() allocates.
 */

#include "boost/ledger_record.h"
#include "util/base.h"

struct ledger;

/** What came of ledger_restore(). */
struct ledger_result {
	unsigned int restored; /* given back */
	unsigned int foreign;  /* changed by another program since: left alone */
	unsigned int gone;     /* the thread or group does not exist any more */
	unsigned int failed;   /* still to be given back: the record stays */
	unsigned int invalid;  /* records that are not valid: dropped */
};

/**
 * Opens the ledger at @path, making it if absent. A file that is no ledger of this boot, or is
 * truncated, is put aside as PATH.bad and a new one is made. A ledger that another version wrote in
 * this boot may name threads that are still boosted, and only that version can read it: it is
 * neither changed nor put aside.
 * Returns 0 and *ret; +LEDGER_REPLACED likewise, when one was put aside; -EPROTO when another
 * version wrote it; -errno.
 */
int ledger_open(const char *path, struct ledger **ret);

enum {
	LEDGER_REPLACED = 1,
};

/** What an error of ledger_open() means, and what to do about it: strerror(), but for -EPROTO. */
const char *ledger_strerror(int error);

/**
 * Says where the hierarchy of the cpu controller is mounted for this process. A record that was
 * written where it was mounted elsewhere, as in a container, is given back there. @mount NULL or
 * too long: not known.
 */
void ledger_set_mount(struct ledger *ledger, const char *mount);

/** Unmaps it; the file stays. Takes NULL; returns NULL. */
struct ledger *ledger_close(struct ledger *ledger);

/**
 * The same, but removes the file if no record is left, so that the next pvschedd, which may be of
 * another version, has nothing to read. The caller holds the lock of the runtime directory: no
 * daemon uses the file. Takes NULL; returns NULL.
 */
struct ledger *ledger_finish(struct ledger *ledger);

/** Writes the record of a slot. To be called before the change. */
void ledger_put_thread(struct ledger *ledger, unsigned int slot,
                       const struct ledger_thread *thread);

/** Drops the record of a slot. To be called after the change was undone. */
void ledger_drop_thread(struct ledger *ledger, unsigned int slot);

/** The record of a slot. Returns 0 and *ret; -ENOENT when there is none. */
int ledger_get_thread(const struct ledger *ledger, unsigned int slot, struct ledger_thread *ret);

/** Is the record there, or has a guardian dropped it? Does not check its content. */
bool ledger_has_thread(const struct ledger *ledger, unsigned int slot);

/** Writes the record of what a slot's thread keeps while it is managed. Before the change, too. */
void ledger_put_standing(struct ledger *ledger, unsigned int slot,
                         const struct ledger_standing *standing);

/** That record. Returns 0 and *ret; -ENOENT when there is none. */
int ledger_get_standing(const struct ledger *ledger, unsigned int slot,
                        struct ledger_standing *ret);

/**
 * Writes the record of a group's attribute. To be called before the change. A record that is
 * already there keeps its `before`. Returns 0; -ENOSPC when all records are in use.
 */
int ledger_put_group(struct ledger *ledger, const struct ledger_group *group);

/** The record with this path, if @path is not NULL, or the @index-th one. Returns 0, or -ENOENT. */
int ledger_get_group(const struct ledger *ledger, const char *path, unsigned int index,
                     struct ledger_group *ret);

/** Drops the record with this path, if there is one. */
void ledger_drop_group(struct ledger *ledger, const char *path);

/**
 * Writes the record of a region of guest pages, by the slot of its domain. It names what a guest
 * was told, not what was changed on the host: ledger_restore() leaves it to the caller, as does
 * ledger_count(). See daemon/regions_left.h.
 */
void ledger_put_region(struct ledger *ledger, unsigned int slot,
                       const struct ledger_region *region);

/** Drops it, if there is one. */
void ledger_drop_region(struct ledger *ledger, unsigned int slot);

/** A valid record of a region. Returns 0 and *ret, or -ENOENT. */
int ledger_get_region(const struct ledger *ledger, unsigned int slot, struct ledger_region *ret);

/** How many records there are of threads and groups. */
unsigned int ledger_count(const struct ledger *ledger);

/**
 * Gives everything back: first the classes of threads, then their slices, which only a fair thread
 * shows, and clamps; then the groups in the reverse order of their records, since a group's budget
 * cannot be withdrawn while a thread in it is real-time, or before those of its children. A group
 * is gone only if its hierarchy is there and the group is not. Sleeps for 1 ms after each 10 ms.
 */
void ledger_restore(struct ledger *ledger, struct ledger_result *ret);

/** What came of giving one record back, which is dropped then. */
enum ledger_outcome {
	LEDGER_RESTORED = 0,
	LEDGER_FOREIGN, /* changed by another program since: left alone */
	LEDGER_GONE,    /* the thread or group does not exist any more */
};

/**
 * Does the thread with that TID have any of what @record, a struct ledger_standing, names? Returns
 * 1, 0, or -errno.
 */
int ledger_match_standing(pid_t tid, const void *record);

/**
 * Takes from the thread with that TID what @record names, as far as it was there when @now was
 * read. Returns an outcome, or -errno.
 */
int ledger_take_standing(pid_t tid, const struct ledger_standing *record,
                         const struct sched_standing *now);

/**
 * Gives back what a slot's thread was to keep, if there is a record of it. A thread that another
 * program made real-time keeps its slice, which counts once it is fair again: LEDGER_FOREIGN.
 * Returns an outcome; -errno: the record stays.
 */
int ledger_restore_standing(struct ledger *ledger, unsigned int slot);

/**
 * Gives one group back. Returns 0 (given back, foreign or gone: the record is dropped); -ENODEV
 * when no hierarchy is mounted where it could be; -errno.
 */
int ledger_restore_group(struct ledger *ledger, const char *path);

/**
 * The owner of the ledger. A daemon takes the ledger over when it starts; a guardian of an earlier
 * daemon, which may have been stopped meanwhile, sees that, and must not act any more.
 */
uint32_t ledger_owner(const struct ledger *ledger);
void ledger_take_over(struct ledger *ledger);

/** How often a guardian has acted. It tells a daemon that it was taken for dead. */
uint32_t ledger_guardian_acts(const struct ledger *ledger);
void ledger_count_guardian_act(struct ledger *ledger);
