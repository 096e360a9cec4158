/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "daemon/views.h"

struct cJSON;

/**
 * Whether boosts are worth it for a domain, and with which burst and share: policy/recommend.h. The
 * work is bounded: see evaluation.h.
 */
struct cJSON *report_recommend(const struct views *views, const struct inventory_domain *domain);

/** Adds "lacks_tokens": the vCPUs that are late for want of tokens, and what would help. */
void report_lacks_tokens(const struct views *views, const struct inventory_domain *domain,
                         struct cJSON *object);
