/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "daemon/vcpu_snapshot.h"

struct cJSON;
struct window_view;

/** Adds "seconds" and "wait_us". */
void report_waits(struct cJSON *object, const struct window_view *view, uint64_t now_ns);

/** The last ten seconds. Returns false if nothing is known of them. */
bool report_window_now(const struct views *views, const struct inventory_vcpu *vcpu,
                       const struct vcpu_snapshot *snapshot, struct window_view *ret);

/** Adds "windows": what the vCPU did in the last ten seconds, minute and ten minutes. */
void report_windows(const struct views *views, const struct inventory_vcpu *vcpu,
                    const struct vcpu_snapshot *snapshot, struct cJSON *object);
