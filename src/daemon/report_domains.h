/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* What is told of domains: the JSON of `list`, `show`, `explain` and `policy get`. */

#include "daemon/views.h"

struct cJSON;

/** "running", "paused", "migrating". */
const char *report_domain_state(const struct views *views, const struct inventory_domain *domain);

struct cJSON *report_list(const struct views *views);
struct cJSON *report_show(const struct views *views, const struct inventory_domain *domain);

/** @vcpu -1: of all. NULL: there is no such vCPU. */
struct cJSON *report_explain(const struct views *views, const struct inventory_domain *domain,
                             int vcpu);
struct cJSON *report_policy(const struct views *views, const struct inventory_domain *domain);
