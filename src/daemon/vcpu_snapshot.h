/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* All that is known of one vCPU at one moment, read once: every report is made of such a copy. */

#include "daemon/views.h"

struct vcpu_snapshot {
	bool traced;                 /* else all is 0 but the next one */
	enum policy_reason untraced; /* why it is not traced */
	struct booster_vcpu booster;
	struct pvs_vcpu_account account;
	struct policy_facts facts;
	bool tracer_knows_identity; /* else /proc is asked whether the TID is still its own */
	uint64_t taken_ns;
};

/** See booster_read(). */
void vcpu_snapshot_take(const struct views *views, const struct inventory_vcpu *vcpu,
                        struct vcpu_snapshot *ret);

/** "off", "unboosted", "armed", "boosted", ... */
const char *vcpu_snapshot_state(const struct vcpu_snapshot *snapshot);

/** Why it is so. */
enum policy_reason vcpu_snapshot_reason(const struct vcpu_snapshot *snapshot);
