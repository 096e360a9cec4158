/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The policy urgent-only, and how a vCPU comes to be boosted by one policy or another. */
#include "policy/registry.h"

#include "policy_request_fixture.h"

static struct policy *make_urgent_only(void)
{
	struct profile profile = latency;
	struct policy *policy = make(0);

	profile.policy = registry_find("urgent-only", 1);
	CHECK(profile.policy != REGISTRY_NONE);
	policy_set_profile(policy, 1, &profile);
	return policy;
}

/* Waiting and urgent, then boosted. */
static struct policy *make_boosted(void)
{
	struct policy *policy = make_urgent_only();

	boost_requested(policy, waiting(PVSCHED_URGENCY_URGENT), POLICY_EVENT_URGENT, T0);
	return policy;
}

static struct policy_facts runs(enum pvsched_urgency urgency)
{
	struct policy_facts facts = running(400 * US);

	facts.urgency = urgency;
	return facts;
}

static void test_never_arms(void)
{
	static const enum pvsched_urgency said[] = {PVSCHED_URGENCY_NONE, PVSCHED_URGENCY_ORDINARY,
	                                            PVSCHED_URGENCY_URGENT};
	static const enum policy_event events[] = {POLICY_EVENT_HALTED, POLICY_EVENT_LOOK,
	                                           POLICY_EVENT_INTERRUPT, POLICY_EVENT_RESCAN};
	struct policy *policy = make_urgent_only();
	struct policy_facts facts = halted();
	struct policy_decision decision;
	uint64_t now_ns = T0;

	for (size_t i = 0; i < ARRAY_SIZE(said); i++) {
		facts.urgency = said[i];
		for (size_t e = 0; e < ARRAY_SIZE(events); e++) {
			decision = step(policy, events[e], facts, now_ns += MS);
			CHECK_INT(decision.action, POLICY_NOTHING);
			CHECK(!decision.report_halt);
			check_view(policy, POLICY_UNBOOSTED, POLICY_REASON_NOT_URGENT);
		}
	}
	CHECK_U64(policy_view(policy, 1)->denied_sum, 0); /* no boost was wanted */
	policy_free(policy);
}

/* It is told of what it acts on, and of nothing else. */
static void test_events(void)
{
	struct policy *policy = make_urgent_only();
	const struct policy_view *view = policy_view(policy, 1);
	struct policy_facts facts = runs(PVSCHED_URGENCY_ORDINARY);

	facts.expected_ns = T0 + MS; /* that is of no use to it */
	CHECK_INT(step(policy, POLICY_EVENT_LOOK, facts, T0).action, POLICY_NOTHING);
	CHECK(view->wants_urgent && !view->wants_interrupt && !view->wants_ordinary);
	CHECK_U64(view->next_ns, NSEC_NEVER);
	CHECK_INT(view->policy, registry_find("urgent-only", 1));
	policy_free(policy);
	policy = make_awake();
	CHECK_INT(policy_view(policy, 1)->policy, REGISTRY_DEFAULT);
	policy_free(policy);
}

static void test_boosts_at_the_preemption(void)
{
	struct policy *policy = make_urgent_only();
	struct policy_facts facts = runs(PVSCHED_URGENCY_URGENT);
	struct policy_decision decision;

	/* one that runs needs none */
	CHECK_INT(step(policy, POLICY_EVENT_LOOK, facts, T0).action, POLICY_NOTHING);
	facts = waiting(PVSCHED_URGENCY_URGENT);
	decision = step(policy, POLICY_EVENT_URGENT, facts, T0 + 1);
	CHECK_INT(decision.action, POLICY_BOOST);
	CHECK(decision.report_halt); /* its halt ends the boost */
	policy_boosted(policy, 1, 0, &facts, T0 + 1);
	CHECK(policy_view(policy, 1)->wants_ordinary);
	/* nothing tells that the request lapses */
	CHECK_U64(policy_view(policy, 1)->next_ns,
	          MIN(T0 + 1 + PVS_UNSEEN_NS, T0 + 1 + PVSCHED_REQUEST_LEASE_NS));
	policy_free(policy);
}

static void test_ends_when_the_guest_says_so(void)
{
	static const enum pvsched_urgency said[] = {PVSCHED_URGENCY_NONE, PVSCHED_URGENCY_ORDINARY};

	for (size_t i = 0; i < ARRAY_SIZE(said); i++) {
		struct policy *policy = make_boosted();
		struct policy_facts facts = runs(PVSCHED_URGENCY_URGENT);

		CHECK_INT(step(policy, POLICY_EVENT_LOOK, facts, T0 + 10 * US).action,
		          POLICY_NOTHING);
		facts.urgency = said[i];
		CHECK_INT(step(policy, POLICY_EVENT_ORDINARY, facts, T0 + 20 * US).action,
		          POLICY_UNBOOST);
		check_view(policy, POLICY_UNBOOSTED, POLICY_REASON_NOT_URGENT);
		/* it has kept its tokens */
		facts = waiting(PVSCHED_URGENCY_URGENT);
		facts.tokens_ns = 400 * US;
		facts.full_at_ns = T0 + MS;
		boost_requested(policy, facts, POLICY_EVENT_URGENT, T0 + 30 * US);
		policy_free(policy);
	}
}

/* A guest that halts has nothing that runs, whatever its last word was. */
static void test_ends_at_the_halt(void)
{
	struct policy *policy = make_boosted();
	struct policy_facts facts = halted();
	struct policy_decision decision;

	facts.urgency = PVSCHED_URGENCY_URGENT;
	decision = step(policy, POLICY_EVENT_HALTED, facts, T0 + 10 * US);
	CHECK_INT(decision.action, POLICY_UNBOOST);
	CHECK(!decision.report_halt);
	check_view(policy, POLICY_UNBOOSTED, POLICY_REASON_NOT_URGENT);
	policy_free(policy);
	/* it slept before the tracer was told to report that: looked at now */
	policy = make_urgent_only();
	CHECK_INT(step(policy, POLICY_EVENT_URGENT, waiting(PVSCHED_URGENCY_URGENT), T0).action,
	          POLICY_BOOST);
	policy_boosted(policy, 1, 0, &facts, T0 + 1);
	CHECK_INT(policy_due(policy, T0 + 1), 1);
	CHECK_INT(step(policy, POLICY_EVENT_LOOK, facts, T0 + 1).action, POLICY_UNBOOST);
	policy_free(policy);
}

static void test_ends_with_the_budget(void)
{
	struct policy *policy = make_boosted();
	struct policy_facts facts = waiting(PVSCHED_URGENCY_URGENT);

	facts.full_at_ns = T0 + REFILL_NS;
	CHECK_INT(step(policy, POLICY_EVENT_EXHAUSTED, facts, T0 + 500 * US).action,
	          POLICY_UNBOOST);
	check_view(policy, POLICY_THROTTLED, POLICY_REASON_BUDGET);
	CHECK_INT(step(policy, POLICY_EVENT_URGENT, facts, T0 + 600 * US).action, POLICY_NOTHING);
	policy_free(policy);
}

/* A profile that ignores requests leaves nothing to boost for, but a command does. */
static void test_ignored_and_commanded(void)
{
	struct profile deaf = latency;
	struct policy *policy = make_urgent_only();
	struct policy_facts facts = waiting(PVSCHED_URGENCY_URGENT);

	deaf.policy = registry_find("urgent-only", 1);
	deaf.requests = PROFILE_REQUESTS_IGNORE;
	policy_set_profile(policy, 1, &deaf);
	CHECK_INT(step(policy, POLICY_EVENT_URGENT, facts, T0).action, POLICY_NOTHING);
	check_view(policy, POLICY_UNBOOSTED, POLICY_REASON_NOT_URGENT);
	policy_boost(policy, 1, T0 + 5 * MS);
	CHECK_INT(step(policy, POLICY_EVENT_LOOK, facts, T0 + MS).action, POLICY_BOOST);
	policy_boosted(policy, 1, 0, &facts, T0 + MS);
	check_view(policy, POLICY_ARMED, POLICY_REASON_COMMAND);
	CHECK_U64(policy_next_ns(policy), T0 + 5 * MS);
	CHECK_INT(step(policy, POLICY_EVENT_LOOK, facts, T0 + 5 * MS).action, POLICY_UNBOOST);
	policy_free(policy);
}

/* What is assigned goes before what the guest names, and that before the default. */
static void test_which_policy(void)
{
	uint32_t urgent_only = registry_find("urgent-only", 1);
	struct profile profile = latency;
	struct policy *policy = make(0);
	struct policy_facts facts = halted();

	facts.speaks = urgent_only;
	CHECK_INT(step(policy, POLICY_EVENT_HALTED, facts, T0).action, POLICY_NOTHING);
	CHECK_INT(policy_view(policy, 1)->policy, urgent_only);
	profile.policy = REGISTRY_DEFAULT;
	policy_set_profile(policy, 1, &profile);
	CHECK_INT(step(policy, POLICY_EVENT_HALTED, facts, T0 + MS).action, POLICY_BOOST);
	policy_boosted(policy, 1, 0, &facts, T0 + MS);
	CHECK_INT(policy_view(policy, 1)->policy, REGISTRY_DEFAULT);
	/* another policy while it is armed: that one has no use for it */
	profile.policy = urgent_only;
	policy_set_profile(policy, 1, &profile);
	CHECK_INT(step(policy, POLICY_EVENT_LOOK, facts, T0 + 2 * MS).action, POLICY_UNBOOST);
	check_view(policy, POLICY_UNBOOSTED, POLICY_REASON_NOT_URGENT);
	/* a profile that ignores the guest ignores its choice, too */
	profile.policy = REGISTRY_NONE;
	profile.requests = PROFILE_REQUESTS_IGNORE;
	policy_set_profile(policy, 1, &profile);
	CHECK_INT(step(policy, POLICY_EVENT_HALTED, facts, T0 + 9 * MS).action, POLICY_BOOST);
	policy_free(policy);
}

TEST_MAIN(TEST(test_never_arms), TEST(test_events), TEST(test_boosts_at_the_preemption),
          TEST(test_ends_when_the_guest_says_so), TEST(test_ends_at_the_halt),
          TEST(test_ends_with_the_budget), TEST(test_ignored_and_commanded),
          TEST(test_which_policy))
