/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdio.h>

#include "util/base.h"
#include "util/json.h"

/**
 * Prints an answer to `latency`: the distribution of waits now beside that before the policy, and
 * what ran instead. It fits into 80 columns; @columns 0: but for the names of cgroups.
 */
void render_latency(const struct json_value *answer, unsigned int columns, FILE *out);

/**
 * Prints one wait, an element of "long_waits", and what ran meanwhile.
 * @at  when it ended, as text
 */
void render_long_wait(const struct json_value *wait, const char *at, unsigned int columns,
                      FILE *out);
