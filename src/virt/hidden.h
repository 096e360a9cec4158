/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Processes that exist on this host and that /proc does not show, by its mount option hidepid. */

#include "util/base.h"

/**
 * Counts the threads of this host that cannot be seen, by what the kernel counts and what /proc
 * lists. As threads come and go meanwhile, only what two calls find counts.
 * @before  of the last call, 0 at first
 * Returns their number; 0 also where /proc hides nothing.
 */
size_t hidden_threads(size_t *before);
