/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The JSON of `top`: totals, of which a client that asks again makes rates, and waits lately. */

#include "daemon/views.h"

struct cJSON;

/** The row of one domain. */
struct cJSON *report_top_domain(const struct views *views, const struct inventory_domain *domain);

/** A row per domain; with @domain, a row per vCPU of it. */
struct cJSON *report_top(const struct views *views, const struct inventory_domain *domain);
