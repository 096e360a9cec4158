/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* What `trial` may be asked for. Pure. */

#include "ctl/verbs.h"

/** @given: CTL_HAS() of each option. Returns what is wrong, or NULL. */
const char *trial_args_check(uint32_t given, const char *domain);

/** Parses --window (NULL: not given). Returns what is wrong, or NULL and both bounds. */
const char *trial_args_window(const char *text, uint64_t *min_ms, uint64_t *max_ms);
