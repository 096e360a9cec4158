/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "daemon/vcpu_snapshot.h"
#include "daemon/windows.h"

struct cJSON;

/**
 * A window of one vCPU, or of several vCPUs together. The shares are of one CPU, so several vCPUs
 * may have more than all of it.
 */
struct window_sum {
	bool known;
	char profile[PROFILE_NAME_MAX]; /* "before": of the first vCPU; else "" */
	uint64_t length_ns;             /* of the longest */
	uint64_t run_permille, ready_permille, boosted_permille;
	uint64_t wakeups, wakeups_boosted, boosts, denied;
	uint64_t wait_counts[PVS_WAIT_BUCKETS];
};

/** The windows that tell what a policy gains. */
struct window_sums {
	struct window_sum now, before;
};

/** The last ten seconds, minute or ten minutes. Returns false if nothing is known of them. */
bool report_window(const struct views *views, const struct inventory_vcpu *vcpu,
                   const struct vcpu_snapshot *snapshot, unsigned int window,
                   struct window_view *ret);

/** Adds what is known of one vCPU. */
void report_windows_sum(const struct views *views, const struct inventory_vcpu *vcpu,
                        const struct vcpu_snapshot *snapshot, struct window_sums *sums);

/** Adds "windows", with "now" and "before" as far as they are known. */
void report_window_sums(const struct window_sums *sums, struct cJSON *object);

/** Adds "windows": the last ten seconds, minute and ten minutes, and before the current policy. */
void report_windows(const struct views *views, const struct inventory_vcpu *vcpu,
                    const struct vcpu_snapshot *snapshot, struct cJSON *object);
