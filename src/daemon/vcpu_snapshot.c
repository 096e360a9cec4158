// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/vcpu_snapshot.h"

#include "util/clock.h"

void vcpu_snapshot_take(const struct views *views, const struct inventory_vcpu *vcpu,
                        struct vcpu_snapshot *ret)
{
	*ret = (struct vcpu_snapshot){
	        .traced = vcpu->slot != SLOT_NONE,
	        .untraced = vcpu->untraced,
	};
	if (ret->traced)
		booster_read(views->booster, vcpu->slot, &ret->booster);
	ret->taken_ns = clock_now_ns();
	if (!ret->traced)
		return;
	ret->account = views->accounts->vcpus[vcpu->slot];
	account_facts(views->accounts, vcpu->slot, ret->taken_ns, &ret->facts);
	ret->tracer_knows_identity =
	        account_epoch(views->accounts, vcpu->slot) != PVS_EPOCH_UNKNOWN;
}

/* An armed vCPU that is awake is boosted: the same to the policy, two words to people. */
const char *vcpu_snapshot_state(const struct vcpu_snapshot *snapshot)
{
	bool awake = snapshot->facts.whereabouts == POLICY_RUNNING ||
	             snapshot->facts.whereabouts == POLICY_WAITING;

	if (!snapshot->traced)
		return "off";
	if (snapshot->booster.view.state == POLICY_ARMED && awake)
		return "boosted";
	return policy_state_name(snapshot->booster.view.state);
}

enum policy_reason vcpu_snapshot_reason(const struct vcpu_snapshot *snapshot)
{
	return snapshot->traced ? snapshot->booster.view.reason : snapshot->untraced;
}
