/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "daemon/views.h"

struct cJSON;

/** Adds "auto" if the domain's profile learns: what it learned, and what is applied of that. */
void report_auto(const struct views *views, const struct inventory_domain *domain,
                 struct cJSON *object);

/** Adds "auto_text" then: the same as a sentence. */
void report_auto_explain(const struct views *views, const struct inventory_domain *domain,
                         struct cJSON *object);
