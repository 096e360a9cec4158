/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* What is told of the threads that work for a domain: JSON. */

#include "daemon/views.h"

struct cJSON;

/** Adds "helpers". */
void report_helpers(const struct views *views, const struct inventory_domain *domain,
                    struct cJSON *object);
