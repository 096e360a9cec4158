/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "daemon/vcpu_snapshot.h"

struct cJSON;

/** Adds "windows": what the vCPU did in the last ten seconds, minute and ten minutes. */
void report_windows(const struct views *views, const struct inventory_vcpu *vcpu,
                    const struct vcpu_snapshot *snapshot, struct cJSON *object);
