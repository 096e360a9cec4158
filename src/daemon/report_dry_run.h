/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* What `policy set --dry-run` answers: what admission would leave of the shares of each domain. */

#include "daemon/views.h"

struct cJSON;

/** NULL: out of memory. */
struct cJSON *report_dry_run(const struct views *views, const struct inventory_domain *domain,
                             const struct profile *profile);
