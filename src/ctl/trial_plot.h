/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The two distributions of waits of a trial as a picture. */

#include <stdio.h>

#include "util/json.h"

/** Writes an SVG: which part of the waits was longer than a time, both axes logarithmic. */
void trial_plot(const struct json_value *trial, FILE *out);

/** The same, into a file, which is made anew. Returns 0, or -errno. */
int trial_plot_write(const char *path, const struct json_value *trial);
