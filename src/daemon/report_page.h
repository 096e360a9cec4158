/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* What is told of guest pages: JSON. */

#include "boost/pages.h"
#include "daemon/carriers.h"

struct cJSON;

/** Adds "carrier": what is known of a domain's memory for them. */
void report_carrier(const struct carriers *carriers, const struct inventory_domain *domain,
                    struct cJSON *object);

/** Adds "page", where a vCPU has one. */
void report_page(const struct pages_view *page, struct cJSON *object);
