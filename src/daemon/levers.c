// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/levers.h"

#include "daemon/refused.h"
#include "util/log.h"

/* The thread is not boosted. Where what it has can't be taken back, the next pass tries again. */
static void change(struct levers *levers, struct levers_vcpu *v)
{
	unsigned int slot = v->vcpu->slot;
	const struct standing_view *view = standing_view(levers->standing, slot);
	int r = standing_set(levers->standing, slot, &v->vcpu->thread.id, &v->wanted);

	v->terms.resets_forks = standing_resets_forks(levers->standing, slot);
	if (r < 0) {
		refused_return(v->domain, v->vcpu, r);
		return;
	}
	refused_standing(v->domain, v->vcpu, view);
	if (view->states[STANDING_CLAMP] != STANDING_GIVEN || levers->said_clamps)
		return;
	levers->said_clamps = true;
	log_notice("a clamp of utilization is in force: the kernel keeps clamps switched on for "
	           "this host until it reboots");
}

void levers_begin(struct levers *levers, struct levers_vcpu *v)
{
	if (v->wanted.slice_ns || v->wanted.util_min)
		change(levers, v);
}

static void renew(struct levers *levers, struct levers_vcpu *v)
{
	uint32_t hold = v->is_held ? 0 : POLICY_HOLD(POLICY_REASON_LEVERS);
	unsigned int slot = v->vcpu->slot;
	bool reset_forks = standing_resets_forks(levers->standing, slot);

	if (hold)
		booster_hold(levers->booster, slot, hold, 0);
	change(levers, v);
	if (v->terms.resets_forks != reset_forks)
		booster_set_terms(levers->booster, slot, &v->terms);
	if (hold)
		booster_hold(levers->booster, slot, 0, hold);
}

void levers_settle(struct levers *levers, struct levers_vcpu *v)
{
	const struct standing_view *view = standing_view(levers->standing, v->vcpu->slot);

	if (view->wanted.slice_ns != v->wanted.slice_ns ||
	    view->wanted.util_min != v->wanted.util_min)
		renew(levers, v);
}

void levers_again(struct levers *levers, struct levers_vcpu *v)
{
	if (standing_is_short(levers->standing, v->vcpu->slot, v->vcpu->thread.id.tid))
		renew(levers, v);
}

int levers_end(struct levers *levers, unsigned int slot)
{
	return standing_take_back(levers->standing, slot);
}
