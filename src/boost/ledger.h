/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The ledger: what we changed and what it was before, in a file on tmpfs that outlives us. A record
 * is complete before the change is made and goes after it was undone, so whoever reads it at any
 * moment, the guardian, `pvschedd --restore` or the next daemon, can give everything back.
 *
 * A foreign change wins: what does not have the value we wrote is left alone, and its record
 * dropped.
 *
 * Mapped shared by daemon and guardian. Everything but open and close allocates nothing.
 */

#include "boost/ledger_record.h"
#include "util/base.h"

struct ledger;

/** What came of ledger_restore(). */
struct ledger_result {
	unsigned int restored; /* given back */
	unsigned int foreign;  /* changed by others since: left alone */
	unsigned int gone;     /* the thread or group does not exist any more */
	unsigned int failed;   /* still to be given back: the record stays */
	unsigned int invalid;  /* records that make no sense: dropped */
};

/**
 * Opens the ledger at @path, making it if absent. One of an earlier version is replaced by one with
 * its records: an upgrade forgets no boost. One that is not valid (a later version, another boot,
 * truncated) is put aside as PATH.bad and a new one is made.
 * Returns 0 and *ret; +LEDGER_REPLACED likewise, when one was put aside; -errno.
 */
int ledger_open(const char *path, struct ledger **ret);

enum {
	LEDGER_REPLACED = 1,
};

/** Unmaps it; the file stays. Takes NULL; returns NULL. */
struct ledger *ledger_close(struct ledger *ledger);

/** Writes the record of slot @slot: before the change. */
void ledger_put_thread(struct ledger *ledger, unsigned int slot,
                       const struct ledger_thread *thread);

/** Drops it: after the change was undone. */
void ledger_drop_thread(struct ledger *ledger, unsigned int slot);

/** The record of a slot. Returns 0 and *ret; -ENOENT when there is none. */
int ledger_get_thread(const struct ledger *ledger, unsigned int slot, struct ledger_thread *ret);

/** Is it still there, or has a guardian dropped it? Its content is not looked at. */
bool ledger_has_thread(const struct ledger *ledger, unsigned int slot);

/**
 * Writes the record of a group's attribute: before the change. One that is already there keeps its
 * `before`. Returns 0; -ENOSPC when all records are in use.
 */
int ledger_put_group(struct ledger *ledger, const struct ledger_group *group);

/** The record with this path, if @path is not NULL, or the @index-th one. Returns 0, or -ENOENT. */
int ledger_get_group(const struct ledger *ledger, const char *path, unsigned int index,
                     struct ledger_group *ret);

/** Drops the record with this path, if there is one. */
void ledger_drop_group(struct ledger *ledger, const char *path);

/** How many records there are. */
unsigned int ledger_count(const struct ledger *ledger);

/**
 * Gives everything back: threads first, then groups in the opposite order of their records, since a
 * group's budget can't go while a thread in it uses it, nor before its children's.
 */
void ledger_restore(struct ledger *ledger, struct ledger_result *ret);

/** Gives one group back. Returns 0 (given back, foreign or gone: the record is dropped), or -errno.
 */
int ledger_restore_group(struct ledger *ledger, const char *path);

/**
 * Whose ledger it is: a daemon takes it over at its start, and a guardian of an earlier one, which
 * may have been stopped meanwhile, sees that it must not act on it any more.
 */
uint32_t ledger_owner(const struct ledger *ledger);
void ledger_take_over(struct ledger *ledger);

/** How often a guardian has acted, to tell a daemon that was taken for dead and was not. */
uint32_t ledger_guardian_acts(const struct ledger *ledger);
void ledger_count_guardian_act(struct ledger *ledger);
