// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/vcpu.h"

#include "core/account.h"
#include "core/bucket.h"

/* The changes of a tenth of a second may come at once. */
#define RATE_BURST_NS (NSEC_PER_SEC / 10)

/* The events in the order of their enum: see the pictures in vcpu.h. */

enum reports reports_next(enum reports reports, enum reports_event event)
{
	static const enum reports next[_REPORTS_MAX][_REPORTS_EVENT_MAX] = {
	        [REPORTS_ALL] = {REPORTS_ALL, REPORTS_NO_CALLS, REPORTS_NO_HALTS, REPORTS_ALL,
	                         REPORTS_NO_CALLS},
	        [REPORTS_NO_HALTS] = {REPORTS_ALL, REPORTS_NO_CALLS, REPORTS_NO_HALTS,
	                              REPORTS_NO_HALTS, REPORTS_NEITHER},
	        [REPORTS_NO_CALLS] = {REPORTS_ALL, REPORTS_NO_CALLS, REPORTS_NEITHER,
	                              REPORTS_NO_CALLS, REPORTS_NO_CALLS},
	        [REPORTS_NEITHER] = {REPORTS_ALL, REPORTS_NO_CALLS, REPORTS_NEITHER,
	                             REPORTS_NEITHER, REPORTS_NEITHER},
	};

	return next[reports][event];
}

enum watch watch_next(enum watch watch, enum watch_event event)
{
	switch (event) {
	case WATCH_ON_RUN:
		return watch;
	case WATCH_ON_TRACER:
		return WATCH_BY_TRACER;
	case WATCH_ON_PUSH:
	case _WATCH_EVENT_MAX:
		break;
	}
	return WATCH_BY_TIMER;
}

enum yield yield_next(enum yield yield, enum yield_event event)
{
	switch (event) {
	case YIELD_ON_LOOK:
		return yield == YIELD_DECLINED ? YIELD_DECLINED_BEFORE : yield;
	case YIELD_ON_DECLINE:
		return YIELD_DECLINED;
	case YIELD_ON_SLEEP:
	case _YIELD_EVENT_MAX:
		break;
	}
	return YIELD_NOT_OFFERED;
}

struct boost_outcome boost_outcome(enum boost_end end)
{
	static const struct boost_outcome outcomes[_BOOST_END_MAX] = {
	        [BOOST_GIVEN_BACK] = {POLICY_UNBOOSTED, TOKENS_KEPT},
	        [BOOST_FORBIDDEN] = {POLICY_UNBOOSTED, TOKENS_TO_EARN},
	        [BOOST_EXHAUSTED] = {POLICY_THROTTLED, TOKENS_TO_EARN},
	        [BOOST_FOREIGN] = {POLICY_FOREIGN, TOKENS_TO_EARN},
	        [BOOST_REFUSED] = {POLICY_UNBOOSTED, TOKENS_TO_EARN},
	};

	return outcomes[end];
}

void vcpu_look_at(struct turn *t, uint64_t at_ns)
{
	t->v->view.next_ns = at_ns;
	timers_set(t->policy->timers, t->vcpu, at_ns);
}

void vcpu_enter(struct turn *t, enum policy_state state, enum policy_reason reason)
{
	struct policy_view *view = &t->v->view;

	if (view->state != state)
		view->since_ns = t->now_ns;
	view->state = state;
	view->reason = reason;
}

void vcpu_boost(struct turn *t)
{
	struct policy_vcpu *v = t->v;

	vcpu_enter(t, POLICY_ARMED, v->boost.why);
	v->boosted = (struct vcpu_boosted){
	        .watch = WATCH_BY_TIMER,
	        .yield = YIELD_NOT_OFFERED,
	        .urgent_from_ns = v->boost.urgent_from_ns,
	        .interrupt_run_ns = v->boost.interrupt_run_ns,
	        .pulse_ns = v->boost.pulse_ns,
	};
}

void vcpu_unboost(struct turn *t, enum boost_end end, enum policy_reason reason)
{
	struct boost_outcome outcome = boost_outcome(end);

	vcpu_enter(t, outcome.state, reason);
	t->v->unboosted = (struct vcpu_unboosted){
	        .tokens = outcome.tokens,
	        .reports = REPORTS_ALL,
	};
}

uint32_t vcpu_holds(const struct policy *policy, unsigned int vcpu)
{
	return policy->holds | policy->vcpus[vcpu].holds;
}

enum policy_reason vcpu_strongest(uint32_t holds)
{
	return (enum policy_reason)__builtin_ctz(holds);
}

enum policy_reason vcpu_forbidden(const struct turn *t)
{
	uint32_t holds = vcpu_holds(t->policy, t->vcpu);

	if (holds)
		return vcpu_strongest(holds);
	if (t->v->profile.mode != PROFILE_BOOST)
		return t->v->profile.learned ? POLICY_REASON_AUTO : POLICY_REASON_PROFILE;
	return t->facts.quota ? POLICY_REASON_QUOTA : POLICY_REASON_WITHIN;
}

bool vcpu_is_commanded(const struct turn *t)
{
	return t->v->command_until_ns > t->now_ns;
}

bool vcpu_is_awake(const struct policy_facts *facts)
{
	return facts->whereabouts == POLICY_RUNNING || facts->whereabouts == POLICY_WAITING;
}

bool vcpu_starves_helper(const struct policy_facts *facts)
{
	/* as early as the tracer reports it: see pvs_helper_patience() */
	return facts->helper_behind_ns + PVS_TOKENS_MIN_NS > PVS_HELPER_WAIT_NS;
}

uint64_t vcpu_refill_ns(const struct policy_vcpu *v, uint64_t tokens_ns)
{
	return tokens_ns * 1000 / MAX(v->profile.share_permille, UINT32_C(1));
}

uint64_t vcpu_change_cost_ns(const struct policy *policy)
{
	return NSEC_PER_SEC / MAX(policy->caps.max_changes_per_s, UINT32_C(1));
}

/* One change must fit in, also where fewer than one in RATE_BURST_NS are allowed. */
static struct pvs_bucket_rule rate_rule(const struct policy *policy)
{
	uint64_t burst_ns = MAX(RATE_BURST_NS, vcpu_change_cost_ns(policy));

	return (struct pvs_bucket_rule){.burst_ns = burst_ns, .share_permille = 1000};
}

unsigned int vcpu_changes_left(const struct turn *t)
{
	struct pvs_bucket_rule rule = rate_rule(t->policy);
	int64_t left_ns = pvs_bucket_tokens(&rule, t->v->rate_repaid_at_ns, t->now_ns);

	if (left_ns <= 0)
		return 0;
	return (unsigned int)((uint64_t)left_ns / vcpu_change_cost_ns(t->policy));
}

void vcpu_charge_change(struct turn *t)
{
	struct pvs_bucket_rule rule = rate_rule(t->policy);

	t->v->rate_repaid_at_ns = pvs_bucket_charge(&rule, t->v->rate_repaid_at_ns, t->now_ns,
	                                            vcpu_change_cost_ns(t->policy));
}
