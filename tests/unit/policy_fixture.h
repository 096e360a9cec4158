/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* What the tests of the policy share: one vCPU, number 1, and shorthands to drive it. */

#include "policy/policy.h"

#include "test.h"

#define US NSEC_PER_USEC
#define MS NSEC_PER_MSEC
#define T0 (5 * NSEC_PER_SEC)

/* of the latency profile: 500 us at 20 % */
#define REFILL_NS ((uint64_t)2500 * US)

static const struct profile latency = {"latency", PROFILE_BOOST, 200, 500 * US};

/* A vCPU with nothing in its way. */
static inline struct policy_facts halted(void)
{
	return (struct policy_facts){.whereabouts = POLICY_HALTED, .tokens_ns = 500 * US};
}

static inline struct policy_facts running(int64_t tokens_ns)
{
	return (struct policy_facts){.whereabouts = POLICY_RUNNING, .tokens_ns = tokens_ns};
}

static inline struct policy *make(uint32_t holds)
{
	struct host_caps caps = HOST_CAPS_INIT;
	struct policy *policy = policy_new(4, &caps);

	CHECK(policy);
	policy_add(policy, 1, &latency, holds, T0);
	return policy;
}

static inline struct policy_decision step_vcpu(struct policy *policy, unsigned int vcpu,
                                               enum policy_event event, struct policy_facts facts,
                                               uint64_t now_ns)
{
	struct policy_input input = {.event = event, .facts = &facts, .now_ns = now_ns};
	struct policy_decision decision;

	policy_step(policy, vcpu, &input, &decision);
	return decision;
}

static inline uint64_t denied(const struct policy_view *view)
{
	uint64_t n = 0;

	for (int i = 0; i < _POLICY_REASON_MAX; i++)
		n += view->denied_total[i];
	return n;
}

static inline struct policy_decision step(struct policy *policy, enum policy_event event,
                                          struct policy_facts facts, uint64_t now_ns)
{
	struct policy_decision decision = step_vcpu(policy, 1, event, facts, now_ns);

	CHECK_U64(policy_view(policy, 1)->next_ns, policy_next_ns(policy));
	CHECK_U64(policy_view(policy, 1)->denied_sum, denied(policy_view(policy, 1)));
	return decision;
}

static inline void arm(struct policy *policy, uint64_t now_ns)
{
	struct policy_facts facts = halted();

	CHECK_INT(step(policy, POLICY_EVENT_HALTED, facts, now_ns).action, POLICY_BOOST);
	policy_boosted(policy, 1, 0, &facts, now_ns);
	CHECK_INT(policy_view(policy, 1)->state, POLICY_ARMED);
}

static inline struct policy *make_armed(void)
{
	struct policy *policy = make(0);

	arm(policy, T0);
	return policy;
}

static inline void check_view(struct policy *policy, enum policy_state state,
                              enum policy_reason reason)
{
	CHECK_STR(policy_state_name(policy_view(policy, 1)->state), policy_state_name(state));
	CHECK_STR(policy_reason_name(policy_view(policy, 1)->reason), policy_reason_name(reason));
}
