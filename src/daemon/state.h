/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What outlives the daemon: the persistent switch, the persistent policies of `policy set
 * --persist`, and, until the next boot, how it ended the last times.
 */

#include "model/domain.h"
#include "policy/breaker.h"
#include "policy/profile.h"
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

/** The persistent profile of a domain, or NULL. */
const char *state_override(const struct state *state, const char *uuid);

/** Sets it; NULL forgets it. Returns 0, -ENOSPC when there are too many, or -errno. */
int state_set_override(struct state *state, const char *uuid, const char *profile);
