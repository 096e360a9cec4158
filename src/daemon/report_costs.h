/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* What the machine takes, and the prices that follow: costs.h. */

#include "daemon/views.h"

struct cJSON;

/** Adds the member "costs". */
void report_costs(const struct views *views, struct cJSON *root);

/** A sentence for doctor. */
void report_costs_text(const struct views *views, char *text, size_t size);
