/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* What is told of the threads that work for a domain: JSON. */

#include "daemon/helper_threads.h"
#include "trace/tracer.h"

struct cJSON;

/** Adds "helpers". @tracer NULL: there is none. */
void report_helpers(const struct helper_threads *helpers, const struct tracer *tracer,
                    const struct inventory_domain *domain, struct cJSON *object);
