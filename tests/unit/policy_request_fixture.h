/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* A vCPU whose guest says what it does. */

#include "core/account.h"

#include "policy_fixture.h"

/* How long ordinary work may run, as long as nothing is learned of the machine. */
#define GRACE_NS ((uint64_t)60 * US)

static inline struct policy_facts waiting(enum pvsched_urgency urgency)
{
	return (struct policy_facts){
	        .whereabouts = POLICY_WAITING, .tokens_ns = 500 * US, .urgency = urgency};
}

static inline struct policy_facts runs_ordinary(uint64_t expected_ns)
{
	struct policy_facts facts = running(400 * US);

	facts.ran_ns = GRACE_NS;
	facts.urgency = PVSCHED_URGENCY_ORDINARY;
	facts.expected_ns = expected_ns;
	return facts;
}

/* Asleep and unboosted, nothing in its way: an awake vCPU, the policy waits for an event. */
static inline struct policy *make_awake(void)
{
	struct policy *policy = make(0);

	CHECK_INT(step(policy, POLICY_EVENT_LOOK, running(500 * US), T0).action, POLICY_NOTHING);
	check_view(policy, POLICY_UNBOOSTED, POLICY_REASON_AWAKE);
	return policy;
}

static inline void boost_requested(struct policy *policy, struct policy_facts facts,
                                   enum policy_event event, uint64_t now_ns)
{
	struct policy_decision decision = step(policy, event, facts, now_ns);

	CHECK_INT(decision.action, POLICY_BOOST);
	CHECK_STR(policy_reason_name(decision.reason), "requested");
	policy_boosted(policy, 1, 0, &facts, now_ns);
	check_view(policy, POLICY_ARMED, POLICY_REASON_REQUESTED);
}
