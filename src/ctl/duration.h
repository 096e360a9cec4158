/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "util/base.h"

/**
 * Parses a duration: a whole number and a unit, which is us, ms, s, m or h ("500ms", "10m"). It
 * must be above 0 and at most 31 days. Returns 0 and *ret in ns, or -EINVAL.
 */
int ctl_duration_parse(const char *text, uint64_t *ret);

/** "5s..20s", or one duration for both. Returns 0, or -EINVAL: also if the first is above. */
int ctl_range_parse(const char *text, uint64_t *min_ns, uint64_t *max_ns);

/** Seconds below 10,000, with at most three decimals and no unit. Returns 0, or -EINVAL. */
int ctl_seconds_parse(const char *text, uint64_t *ret_ms);
