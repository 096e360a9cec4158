// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/policy.h"

#include <stdlib.h>

#include "policy/boosted.h"
#include "policy/help.h"
#include "policy/interrupt.h"
#include "policy/kind.h"
#include "policy/pulse.h"
#include "policy/push.h"
#include "policy/request.h"
#include "policy/unboosted.h"
#include "policy/vcpu.h"

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
	        .view = {.state = POLICY_UNBOOSTED,
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
	return vcpu_holds(policy, vcpu);
}

bool policy_may_push(const struct policy *policy, unsigned int vcpu, uint64_t now_ns)
{
	return push_is_allowed(policy, vcpu, now_ns);
}

/* Holds that the world, not an administrator, set: worth another try when that has changed. */
#define HOLDS_OF_TRIES                                                                             \
	(POLICY_HOLD(POLICY_REASON_RT_REFUSED) | POLICY_HOLD(POLICY_REASON_ALREADY_RT) |           \
	 POLICY_HOLD(POLICY_REASON_FAILED))

/* An assigned policy goes before the one that the guest names. */
static const struct policy_kind *choose_kind(struct policy_vcpu *v,
                                             const struct policy_facts *facts)
{
	uint32_t number = v->profile.policy ?: facts->speaks;

	if (number == REGISTRY_NONE || number > policy_kinds_n)
		number = REGISTRY_DEFAULT;
	v->view.policy = number;
	return v->profile.of_helper ? &kind_helper : policy_kinds[number - 1];
}

/* Of what its policy is told: REGISTRY_*. */
static uint32_t told_of(const struct policy_vcpu *v)
{
	return v->profile.of_helper ? KIND_HELPER_EVENTS : registry_of(v->view.policy)->events;
}

/* The events that are wanted. @begins: a boost is about to begin, and the vCPU may run before that
 * is told. */
static void set_wants(struct turn *t, bool begins)
{
	struct policy_vcpu *v = t->v;
	enum policy_reason reason = v->view.reason;
	bool boosts = v->profile.mode == PROFILE_BOOST;
	bool hears = boosts && v->profile.requests != PROFILE_REQUESTS_IGNORE;
	bool armed = begins || v->view.state == POLICY_ARMED;
	bool no_request = !armed && reason == POLICY_REASON_NO_REQUEST;
	bool waits = !armed && kind_is_waiting(reason);
	uint32_t told = told_of(v);

	v->view.wants_ordinary = hears && armed && (told & REGISTRY_ORDINARY) &&
	                         (begins || v->boosted.yield != YIELD_DECLINED);
	v->view.grace_ns = request_grace_ns(t);
	v->view.wants_urgent = hears && waits && (told & REGISTRY_PREEMPTED) &&
	                       reports_calls(v->unboosted.reports);
	v->view.wants_interrupt = boosts && v->profile.on_interrupt && waits && !no_request &&
	                          (told & REGISTRY_INTERRUPT);
	v->view.interrupts_from_ns = interrupt_from_ns(t);
	v->view.wants_waits =
	        boosts && v->profile.of_helper && waits && reports_calls(v->unboosted.reports);
}

/* Whether the tracer is to report its next halt. */
static bool wants_halt(const struct turn *t)
{
	uint32_t told = told_of(t->v);
	bool begins = t->decision->action == POLICY_BOOST;
	enum policy_reason reason = begins ? t->decision->reason : t->v->view.reason;

	if (t->v->view.state == POLICY_ARMED || begins)
		/* a helper that is armed ahead runs again and again */
		return (told & REGISTRY_HALTED_BOOSTED) &&
		       (!t->v->profile.of_helper || reason == POLICY_REASON_FOLLOWS);
	return t->decision->report_halt && (told & REGISTRY_HALTED);
}

static void step_state(struct turn *t)
{
	switch (t->v->view.state) {
	case POLICY_ARMED:
		boosted_step(t);
		return;
	case POLICY_FOREIGN:
		vcpu_look_at(t, NSEC_NEVER);
		if (t->event != POLICY_EVENT_RESCAN)
			return;
		vcpu_enter(t, POLICY_UNBOOSTED, POLICY_REASON_AWAKE);
		unboosted_step(t);
		return;
	case POLICY_UNBOOSTED:
	case POLICY_THROTTLED:
		unboosted_step(t);
		return;
	case _POLICY_STATE_MAX:
		return;
	}
}

void policy_step(struct policy *policy, unsigned int vcpu, const struct policy_input *input,
                 struct policy_decision *ret)
{
	struct policy_vcpu *v = &policy->vcpus[vcpu];
	struct turn t = {.policy = policy,
	                 .v = v,
	                 .vcpu = vcpu,
	                 .event = input->event,
	                 .now_ns = input->now_ns,
	                 .facts = request_hear(&v->profile, input->facts),
	                 .decision = ret,
	                 .offer = input->offer};

	policy->prices = input->facts->prices;
	t.kind = choose_kind(v, &t.facts);
	*ret = (struct policy_decision){.action = POLICY_NOTHING, .reason = v->view.reason};
	if (!v->present) {
		timers_set(policy->timers, vcpu, NSEC_NEVER);
		return;
	}
	if (t.event == POLICY_EVENT_RESCAN)
		v->holds &= ~HOLDS_OF_TRIES;
	step_state(&t);
	ret->report_halt = wants_halt(&t);
	set_wants(&t, ret->action == POLICY_BOOST);
}

_Static_assert(HELP_NONE + 1 == POLICY_HELP_ROUNDS, "rounds");

static void refused(struct turn *t, uint32_t hold)
{
	enum policy_reason reason = vcpu_strongest(hold);

	t->v->holds |= hold;
	vcpu_deny(t->v, reason);
	vcpu_unboost(t, BOOST_REFUSED, reason);
}

void policy_boosted(struct policy *policy, unsigned int vcpu, uint32_t hold,
                    const struct policy_facts *facts, uint64_t now_ns)
{
	struct policy_vcpu *v = &policy->vcpus[vcpu];
	struct turn t = {.policy = policy,
	                 .kind = &kind_pvschedd,
	                 .v = v,
	                 .vcpu = vcpu,
	                 .event = POLICY_EVENT_LOOK,
	                 .now_ns = now_ns,
	                 .facts = request_hear(&v->profile, facts)};

	policy->prices = facts->prices;
	t.kind = choose_kind(v, &t.facts);
	if (hold)
		refused(&t, hold);
	else
		boosted_begin(&t);
	set_wants(&t, false);
}

static bool is_reversed(const struct policy *policy, unsigned int waiter, unsigned int awaited,
                        uint64_t now_ns)
{
	const struct policy_vcpu *other = &policy->vcpus[awaited];

	return other->helped_ns && other->helped == waiter &&
	       now_ns < other->helped_ns + PULSE_REVERSE_NS;
}

/* A vCPU that waits in vain goes on to: each of its signs would wake the booster. */
#define HELP_AGAIN_NS NSEC_PER_MSEC

uint64_t policy_helped(struct policy *policy, unsigned int waiter, const struct policy_help *help)
{
	struct policy_vcpu *v = &policy->vcpus[waiter];
	bool reversed = help->round != HELP_NONE &&
	                is_reversed(policy, waiter, help->awaited, help->now_ns);
	struct turn t = {.policy = policy,
	                 .v = v,
	                 .vcpu = waiter,
	                 .event = POLICY_EVENT_LOOK,
	                 .now_ns = help->now_ns};

	v->view.helps_total[help->round]++;
	if (help->round != HELP_NONE) {
		v->view.no_pulse_total += !help->pulsed;
		v->helped = help->awaited;
		v->helped_ns = help->now_ns;
	}
	if (help->spins && (v->profile.help & PROFILE_HELP_HOLD) && help_is_wanted(&v->profile) &&
	    v->view.state != POLICY_ARMED)
		pulse_hold(&t, help->entitled_permille, reversed);
	return help->pulsed ? 0 : help->now_ns + HELP_AGAIN_NS;
}

uint32_t policy_help_of(const struct policy *policy, unsigned int vcpu)
{
	const struct policy_vcpu *v = &policy->vcpus[vcpu];

	return v->present && help_is_wanted(&v->profile) && !vcpu_holds(policy, vcpu)
	               ? v->profile.help
	               : 0;
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

int policy_debtor(const struct policy_debt *debts, size_t n)
{
	int most = -1;

	for (size_t i = 0; i < n; i++)
		if (most < 0 || debts[i].owed_ns > debts[most].owed_ns)
			most = (int)i;
	return most;
}
