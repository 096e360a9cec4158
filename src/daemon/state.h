/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What outlives the daemon: the persistent switch, the persistent policies of `policy set
 * --persist`, and, until the next boot, how it ended the last times.
 */

#include "daemon/policies.h"
#include "policy/breaker.h"
#include "util/base.h"

struct state;

/**
 * Reads what there is in both directories, which exist. A file that is not valid is put aside as
 * FILE.bad; @warning, of at least 512 bytes, then says so, else it is "".
 * Returns 0 and *ret, or -errno.
 */
int state_open(struct state **ret, const char *runtime_dir, const char *state_dir, char *warning,
               size_t warning_size);

/** Takes NULL; returns NULL. Does not count as a clean end: see state_end_cleanly(). */
struct state *state_free(struct state *state);

/** `pvschedctl disable`: the file STATE_DIR/disabled, which pvschedctl makes itself without us. */
bool state_disabled(const struct state *state);
int state_set_disabled(struct state *state, bool disabled);

/**
 * Marks the daemon as running. *unclean: the last one ended without state_end_cleanly().
 * Returns 0; -errno: it is not marked, so that its own end will be taken for a clean one.
 */
int state_begin(struct state *state, bool *unclean);

/** The circuit breaker, which lasts until the next boot. */
const struct breaker *state_breaker(const struct state *state);

/** Returns 0; -errno: it is set, and lasts for this daemon only. */
int state_set_breaker(struct state *state, const struct breaker *breaker);

/** Returns 0; -errno: the next daemon will take this end for an unclean one. */
int state_end_cleanly(struct state *state);

/** The persistent policy of a domain, or NULL. */
const struct policy_entry *state_policy(const struct state *state, const char *uuid);

/** All of them. */
const struct policies *state_policies(const struct state *state);

/** How long ago a moment of policy_entry::set_s or ran_s was, in s; -1: it is not known. */
int64_t state_ago_s(int64_t day_s);

/**
 * Keeps a profile with its figures, or what is assigned, or both; what @policy has none of stays.
 * Its uuid and name count, too. Where POLICIES_MAX are kept,
 * the one whose domain has not run for the longest makes room: *dropped, whose uuid is "" if none
 * did. Returns 0; -errno: it holds until the daemon ends, and is not saved.
 */
int state_keep_policy(struct state *state, const struct policy_entry *policy,
                      struct policy_entry *dropped);

/** Returns 1; 0: there is none; -EIO: it is dropped, and not saved. */
int state_drop_policy(struct state *state, const char *uuid);

/** Takes away what is assigned. Returns 1; 0: nothing was; -EIO: it is dropped, and not saved. */
int state_unassign(struct state *state, const char *uuid);

/** A domain runs now, under this name: its policy is not stale. */
void state_domain_runs(struct state *state, const char *uuid, const char *name);

/** Saves what state_domain_runs() changed, which is once a day or less. */
void state_save_runs(struct state *state);
