/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdio.h>

#include "util/json.h"

/**
 * Draws an answer to `latency` as SVG: which share of the waits was longer than so many
 * microseconds, now and before the current policy, both axes logarithmic. The text is a whole XML
 * document, whatever the names in the answer are.
 */
void plot_waits(const struct json_value *answer, FILE *out);
