/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What outlives the daemon: the persistent switch, the persistent policies of `policy set
 * --persist`, and, until the next boot, how it ended the last times.
 */

#include "model/domain.h"
#include "policy/profile.h"
#include "util/base.h"

struct state;

/** Unclean ends within this time that open the circuit breaker, and how many it takes. */
#define STATE_BREAKER_WINDOW_NS (600 * NSEC_PER_SEC)
#define STATE_BREAKER_ENDS      3

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

/** Marks the daemon as running. Returns true if the last one ended without state_end_cleanly(). */
bool state_begin(struct state *state, uint64_t now_ns);

/** Counts an end that was not clean, of this daemon's boosts if not of itself. */
void state_count_unclean(struct state *state, uint64_t now_ns);

/** Is the circuit breaker open? It stays so until state_close_breaker(). */
bool state_breaker_open(const struct state *state);
void state_close_breaker(struct state *state);

void state_end_cleanly(struct state *state);

/** The persistent profile of a domain, or NULL. */
const char *state_override(const struct state *state, const char *uuid);

/** Sets it; NULL forgets it. Returns 0, -ENOSPC when there are too many, or -errno. */
int state_set_override(struct state *state, const char *uuid, const char *profile);
