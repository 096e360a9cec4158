/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Metrics as text: pvsched-metrics(7) has the list. Pure. */

#include "daemon/metrics_data.h"
#include "util/openmetrics.h"

/**
 * The most that the text has, in bytes. As a JSON text, in which the worst name of a domain takes
 * two thirds more, it is still an answer of the control socket.
 */
#define METRICS_TEXT_MAX ((size_t)5 * 1024 * 1024 - 64 * 1024)

/**
 * Gives each domain the label that it has alone: its name, with the uuid behind it if another
 * domain has the same name, if it was cut, or if it looks like such a label. The uuids differ.
 * Returns 0 or -ENOMEM.
 */
int metrics_name_domains(struct metrics_domain *domains, size_t n);

/** Writes all families. Returns 0; -ENOMEM: @m has no whole text. */
int metrics_print(const struct metrics_data *data, struct openmetrics *m);
