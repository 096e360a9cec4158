// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/policy.h"

#include <stdlib.h>

#include "policy/vcpu.h"
#include "core/bucket.h"
#include "core/account.h"

/* A tenth of a second's changes may come at once. */
#define RATE_BURST_NS (NSEC_PER_SEC / 10)

struct policy *policy_new(unsigned int n_vcpus, const struct host_caps *caps)
{
	struct policy *policy = calloc(1, sizeof(*policy));

	if (!policy)
		return NULL;
	policy->n_vcpus = n_vcpus;
	policy->timers = timers_new(n_vcpus);
	policy->vcpus = calloc(n_vcpus, sizeof(*policy->vcpus));
	if (!policy->timers || !policy->vcpus)
		return policy_free(policy);
	policy_set_caps(policy, caps);
	return policy;
}

struct policy *policy_free(struct policy *policy)
{
	if (!policy)
		return NULL;
	timers_free(policy->timers);
	free(policy->vcpus);
	free(policy);
	return NULL;
}

void policy_set_caps(struct policy *policy, const struct host_caps *caps)
{
	policy->caps = *caps;
}

void policy_hold_all(struct policy *policy, uint32_t holds)
{
	policy->holds = holds;
}

void policy_add(struct policy *policy, unsigned int vcpu, const struct profile *profile,
                uint32_t holds, uint64_t now_ns)
{
	policy->vcpus[vcpu] = (struct policy_vcpu){
	        .present = true,
	        .profile = *profile,
	        .holds = holds,
	        .view = {.state = POLICY_BASE,
	                 .reason = POLICY_REASON_PROFILE,
	                 .since_ns = now_ns,
	                 .next_ns = NSEC_NEVER},
	};
	timers_set(policy->timers, vcpu, NSEC_NEVER);
}

void policy_remove(struct policy *policy, unsigned int vcpu)
{
	policy->vcpus[vcpu].present = false;
	timers_set(policy->timers, vcpu, NSEC_NEVER);
}

void policy_set_profile(struct policy *policy, unsigned int vcpu, const struct profile *profile)
{
	policy->vcpus[vcpu].profile = *profile;
}

void policy_hold(struct policy *policy, unsigned int vcpu, uint32_t set, uint32_t clear)
{
	policy->vcpus[vcpu].holds = (policy->vcpus[vcpu].holds & ~clear) | set;
}

uint32_t policy_holds(const struct policy *policy, unsigned int vcpu)
{
	return policy->holds | policy->vcpus[vcpu].holds;
}

void policy_look_at(struct policy *policy, unsigned int vcpu, uint64_t at_ns)
{
	policy->vcpus[vcpu].view.next_ns = at_ns;
	timers_set(policy->timers, vcpu, at_ns);
}

void policy_enter(struct policy_vcpu *v, enum policy_state state, enum policy_reason reason,
                  uint64_t now_ns)
{
	if (v->view.state != state)
		v->view.since_ns = now_ns;
	v->view.state = state;
	v->view.reason = reason;
}

enum policy_reason policy_strongest(uint32_t holds)
{
	return (enum policy_reason)__builtin_ctz(holds);
}

bool policy_starves_helper(const struct policy_facts *facts)
{
	/* what looked for it came at that time, give or take the end of an elevated run */
	return facts->helper_behind_ns + PVS_TOKENS_MIN_NS > PVS_HELPER_WAIT_NS;
}

uint64_t policy_refill_ns(const struct profile *profile, uint64_t tokens_ns)
{
	return tokens_ns * 1000 / MAX(profile->share_permille, UINT32_C(1));
}

uint64_t policy_change_cost_ns(const struct policy *policy)
{
	return NSEC_PER_SEC / MAX(policy->caps.max_changes_per_s, UINT32_C(1));
}

/* One change must fit in, also where fewer than one in RATE_BURST_NS are allowed. */
static struct pvs_bucket_rule rate_rule(const struct policy *policy)
{
	uint64_t burst_ns = MAX(RATE_BURST_NS, policy_change_cost_ns(policy));

	return (struct pvs_bucket_rule){.burst_ns = burst_ns, .share_permille = 1000};
}

unsigned int policy_changes_left(const struct policy *policy, const struct policy_vcpu *v,
                                 uint64_t now_ns)
{
	struct pvs_bucket_rule rule = rate_rule(policy);
	int64_t left_ns = pvs_bucket_tokens(&rule, v->rate_repaid_at_ns, now_ns);

	return left_ns > 0 ? (unsigned int)((uint64_t)left_ns / policy_change_cost_ns(policy)) : 0;
}

void policy_charge_change(struct policy *policy, struct policy_vcpu *v, uint64_t now_ns)
{
	struct pvs_bucket_rule rule = rate_rule(policy);

	v->rate_repaid_at_ns = pvs_bucket_charge(&rule, v->rate_repaid_at_ns, now_ns,
	                                         policy_change_cost_ns(policy));
}

/* Holds that the world, not an admin, set: worth another try when the world has changed. */
#define HOLDS_OF_TRIES                                                                             \
	(POLICY_HOLD(POLICY_REASON_RT_REFUSED) | POLICY_HOLD(POLICY_REASON_ALREADY_RT) |           \
	 POLICY_HOLD(POLICY_REASON_FAILED))

/* @raises: it is about to be ARMED, and may run elevated before policy_raised() is told so. */
static void set_wants(struct policy_vcpu *v, bool raises, const struct policy_facts *facts)
{
	enum policy_reason reason = v->view.reason;
	bool hears = v->profile.mode == PROFILE_BOOST && v->profile.asks != PROFILE_ASKS_IGNORE;
	bool armed = raises || v->view.state == POLICY_ARMED;

	v->view.wants_ordinary = hears && armed && !v->yield_declined;
	v->view.grace_ns = policy_grace_ns(v);
	v->view.wants_urgent = hears && !armed && !v->deaf &&
	                       (reason == POLICY_REASON_AWAKE || reason == POLICY_REASON_ORDINARY ||
	                        reason == POLICY_REASON_UNASKED);
	v->view.wants_interrupt =
	        v->profile.mode == PROFILE_BOOST && v->profile.on_interrupt && !armed &&
	        (reason == POLICY_REASON_AWAKE || reason == POLICY_REASON_ORDINARY);
	v->view.interrupts_from_ns = policy_interrupts_from(v, facts);
}

static void step_state(struct policy *policy, unsigned int vcpu, enum policy_event event,
                       const struct policy_facts *facts, uint64_t now_ns,
                       struct policy_decision *ret)
{
	struct policy_vcpu *v = &policy->vcpus[vcpu];

	switch (v->view.state) {
	case POLICY_ARMED:
		policy_step_elevated(policy, vcpu, event, facts, now_ns, ret);
		return;
	case POLICY_FOREIGN:
		policy_look_at(policy, vcpu, NSEC_NEVER);
		if (event != POLICY_EVENT_RESCAN)
			return;
		policy_enter(v, POLICY_BASE, POLICY_REASON_AWAKE, now_ns);
		policy_consider(policy, vcpu, event, facts, now_ns, ret);
		return;
	case POLICY_BASE:
	case POLICY_THROTTLED:
		policy_consider(policy, vcpu, event, facts, now_ns, ret);
		return;
	case _POLICY_STATE_MAX:
		return;
	}
}

void policy_step(struct policy *policy, unsigned int vcpu, const struct policy_input *input,
                 struct policy_decision *ret)
{
	struct policy_vcpu *v = &policy->vcpus[vcpu];
	struct policy_facts heard = *input->facts;

	*ret = (struct policy_decision){.action = POLICY_NOTHING, .reason = v->view.reason};
	if (!v->present) {
		timers_set(policy->timers, vcpu, NSEC_NEVER);
		return;
	}
	if (input->event == POLICY_EVENT_RESCAN)
		v->holds &= ~HOLDS_OF_TRIES;
	policy_hear(&v->profile, &heard);
	step_state(policy, vcpu, input->event, &heard, input->now_ns, ret);
	set_wants(v, ret->action == POLICY_RAISE, input->facts);
}

void policy_raised(struct policy *policy, unsigned int vcpu, uint32_t hold,
                   const struct policy_facts *facts, uint64_t now_ns)
{
	struct policy_vcpu *v = &policy->vcpus[vcpu];
	struct policy_facts heard = *facts;

	if (hold) {
		v->holds |= hold;
		v->view.denied_total[policy_strongest(hold)]++;
		policy_enter(v, POLICY_BASE, policy_strongest(hold), now_ns);
		set_wants(v, false, facts);
		return;
	}
	policy_hear(&v->profile, &heard);
	if (v->raised_ahead)
		policy_learn_lead(v, now_ns);
	v->view.boosts_total++;
	v->view.interrupts_total += v->why == POLICY_REASON_INTERRUPT;
	policy_enter(v, POLICY_ARMED, v->why, now_ns);
	v->caught_awake = true;
	policy_watch_run(policy, vcpu, &heard, now_ns);
	set_wants(v, false, facts);
}

void policy_boost(struct policy *policy, unsigned int vcpu, uint64_t until_ns)
{
	policy->vcpus[vcpu].command_until_ns = until_ns;
}

uint64_t policy_next_ns(const struct policy *policy)
{
	return timers_first(policy->timers, NULL);
}

int policy_due(const struct policy *policy, uint64_t now_ns)
{
	unsigned int vcpu;
	uint64_t first_ns = timers_first(policy->timers, &vcpu);

	return first_ns != NSEC_NEVER && first_ns <= now_ns ? (int)vcpu : -1;
}

const struct policy_view *policy_view(const struct policy *policy, unsigned int vcpu)
{
	return &policy->vcpus[vcpu].view;
}

int policy_debtor(const struct policy_claim *claims, size_t n)
{
	int most = -1;

	for (size_t i = 0; i < n; i++)
		if (most < 0 || claims[i].owed_ns > claims[most].owed_ns)
			most = (int)i;
	return most;
}
