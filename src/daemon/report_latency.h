/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "daemon/report_blockers.h"

/**
 * How long the vCPUs of a domain waited, now and before its current policy, as distributions; and
 * what ran meanwhile, see report_blockers().
 * @vcpu  index; -1: of all
 * Returns NULL if there is no such vCPU.
 */
struct cJSON *report_latency(const struct views *views, const struct inventory_domain *domain,
                             int vcpu, const struct latency_trace *trace);
