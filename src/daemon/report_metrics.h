/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Metrics of all that the daemon knows, at one moment: pvsched-metrics(7). */

#include "daemon/tally.h"
#include "daemon/views.h"
#include "util/openmetrics.h"

/**
 * Reads all and writes the text, of METRICS_TEXT_MAX bytes at most, into *@ret, which the caller
 * clears. Returns 0 or -ENOMEM.
 */
int report_metrics_text(const struct views *views, struct tally *tally,
                        enum openmetrics_format format, struct openmetrics *ret);

/** The answer to `metrics`: {"text": ...}, in OpenMetrics. NULL when memory is out. */
struct cJSON *report_metrics(const struct views *views, struct tally *tally);
