/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* A trial as a text: while it runs, its verdict, and several in a row. */

#include <stdio.h>

#include "util/json.h"

/** One line without its end: window, time left, what is known so far. */
void render_trial_progress(const struct json_value *trial, FILE *out);

/** The verdict, in words and numbers. */
void render_trial(const struct json_value *trial, FILE *out);

/** A table of verdicts, in the order given. */
void render_trials(const struct json_value *const trials[], size_t n, FILE *out);

/** What a domain gains, for an order: what is recommended first, then by its gain in us. */
int trial_compare(const struct json_value *a, const struct json_value *b);
