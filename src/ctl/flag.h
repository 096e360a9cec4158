/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The flag file STATE_DIR/disabled: while it exists, no daemon boosts anything. Written by the
 * daemon for `disable`, and by pvschedctl itself when no daemon answers.
 */

#include "util/base.h"

/** Outcome of both: it was so before. */
#define FLAG_UNCHANGED 1

/**
 * Makes the flag, and STATE_DIR (mode 0755) if need be, and waits until both are on disk.
 * Returns 0, FLAG_UNCHANGED, or -errno.
 */
int flag_set(const char *state_dir);

/** Removes the flag. Returns 0, FLAG_UNCHANGED, or -errno. */
int flag_clear(const char *state_dir);
