/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* What is told of one vCPU: JSON, each from one snapshot. */

#include "daemon/vcpu_snapshot.h"

struct cJSON;

/** Where it stands, what it took: `status`. */
struct cJSON *report_vcpu(const struct views *views, const struct inventory_domain *domain,
                          const struct inventory_vcpu *vcpu);

/** The same, and what `show` adds to it. */
struct cJSON *report_vcpu_detail(const struct views *views, const struct inventory_domain *domain,
                                 const struct inventory_vcpu *vcpu);

/** Why it is as it is, and what happens next: `explain`. */
struct cJSON *report_vcpu_explain(const struct views *views, const struct inventory_domain *domain,
                                  const struct inventory_vcpu *vcpu);

/** What came of boosting it: `boost`. */
struct cJSON *report_vcpu_boost(const struct views *views, const struct inventory_vcpu *vcpu);
