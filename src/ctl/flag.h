/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The flag file STATE_DIR/disabled. While it exists, the daemon boosts nothing. `disable` makes the
 * daemon write it; if no daemon answers, pvschedctl writes it itself.
 */

#include "util/base.h"

/** Outcome of both functions: the flag was already in the wanted state. */
#define FLAG_UNCHANGED 1

/**
 * Makes the flag, and STATE_DIR (mode 0755) if it does not exist. Waits until the flag is on disk.
 * Returns 0, FLAG_UNCHANGED, or -errno.
 */
int flag_set(const char *state_dir);

/** Removes the flag. Returns 0, FLAG_UNCHANGED, or -errno. */
int flag_clear(const char *state_dir);
