/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The bounds hold for a policy that wishes a boost at all times: tests/policies/table.c. */
#include "policy/registry.h"

#include "policy_request_fixture.h"

static struct policy *make_always(uint32_t holds)
{
	struct profile profile = latency;
	struct policy *policy = make(holds);

	profile.policy = registry_find("always", 1);
	CHECK(profile.policy != REGISTRY_NONE);
	policy_set_profile(policy, 1, &profile);
	return policy;
}

static struct policy *make_boosted(void)
{
	struct policy *policy = make_always(0);
	struct policy_facts facts = running(500 * US);

	CHECK_INT(step(policy, POLICY_EVENT_LOOK, facts, T0).action, POLICY_BOOST);
	policy_boosted(policy, 1, 0, &facts, T0);
	CHECK_INT(policy_view(policy, 1)->state, POLICY_ARMED);
	return policy;
}

/* Where it is does not matter to that policy. */
static void test_it_does_wish_boosts(void)
{
	static const enum policy_whereabouts all[] = {POLICY_RUNNING, POLICY_WAITING,
	                                              POLICY_BLOCKED, POLICY_HALTED};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		struct policy *policy = make_always(0);
		struct policy_facts facts = {.whereabouts = all[i], .tokens_ns = 500 * US};

		CHECK_INT(step(policy, POLICY_EVENT_LOOK, facts, T0).action, POLICY_BOOST);
		policy_free(policy);
	}
}

static void check_refused(struct policy_facts facts, enum policy_reason reason)
{
	struct policy *policy = make_always(0);
	struct policy_decision decision = step(policy, POLICY_EVENT_URGENT, facts, T0);

	CHECK_INT(decision.action, POLICY_NOTHING);
	CHECK_STR(policy_reason_name(policy_view(policy, 1)->reason), policy_reason_name(reason));
	policy_free(policy);
}

static void test_refused(void)
{
	struct policy_facts facts = waiting(PVSCHED_URGENCY_URGENT), with;

	with = facts, with.full_at_ns = T0 + MS;
	check_refused(with, POLICY_REASON_BUDGET);
	with = facts, with.domain_at_ns = T0 + MS;
	check_refused(with, POLICY_REASON_DOMAIN_CAP);
	with = facts, with.cpu_at_ns = T0 + MS;
	check_refused(with, POLICY_REASON_CPU_CAP);
	with = facts, with.sheet_at_ns = T0 + MS;
	check_refused(with, POLICY_REASON_CPU_REAL_TIME);
	with = facts, with.quota = true;
	check_refused(with, POLICY_REASON_QUOTA);
	with = facts, with.unheard_until_ns = T0 + MS;
	check_refused(with, POLICY_REASON_ATTENTION);
	with = facts, with.helper_behind_ns = 2 * MS;
	check_refused(with, POLICY_REASON_HELPER);
	with = facts, with.tokens_ns = 0;
	check_refused(with, POLICY_REASON_BUDGET);
	with = running(0);
	check_refused(with, POLICY_REASON_AWAKE);
}

static void test_held(void)
{
	for (int r = 0; r < _POLICY_REASON_HOLD_MAX; r++) {
		struct policy *policy = make_always(POLICY_HOLD(r));
		enum policy_reason reason = (enum policy_reason)r;

		CHECK_INT(step(policy, POLICY_EVENT_LOOK, halted(), T0).action, POLICY_NOTHING);
		CHECK_INT(policy_view(policy, 1)->reason, reason);
		policy_free(policy);
		policy = make_boosted();
		policy_hold(policy, 1, POLICY_HOLD(r), 0);
		CHECK_INT(step(policy, POLICY_EVENT_LOOK, running(400 * US), T0 + US).action,
		          POLICY_UNBOOST);
		policy_free(policy);
	}
}

static void check_ended(enum policy_event event, struct policy_facts facts,
                        enum policy_reason reason)
{
	struct policy *policy = make_boosted();

	CHECK_INT(step(policy, event, facts, T0 + 500 * US).action, POLICY_UNBOOST);
	CHECK_INT(policy_view(policy, 1)->reason, reason);
	policy_free(policy);
}

/* By what the tracer tells, and by what a look finds. */
static void test_ended(void)
{
	struct policy_facts facts = running(400 * US), with;

	check_ended(POLICY_EVENT_EXHAUSTED, facts, POLICY_REASON_BUDGET);
	check_ended(POLICY_EVENT_DOMAIN_EXHAUSTED, facts, POLICY_REASON_DOMAIN_CAP);
	check_ended(POLICY_EVENT_CPU_EXHAUSTED, facts, POLICY_REASON_CPU_CAP);
	check_ended(POLICY_EVENT_SHEET_USED_UP, facts, POLICY_REASON_CPU_REAL_TIME);
	check_ended(POLICY_EVENT_NO_DEADLINE, facts, POLICY_REASON_NO_DEADLINE);
	check_ended(POLICY_EVENT_UNSEEN, facts, POLICY_REASON_UNSEEN);
	check_ended(POLICY_EVENT_SPIN, facts, POLICY_REASON_SPIN);
	check_ended(POLICY_EVENT_LOOK, running(0), POLICY_REASON_BUDGET);
	with = facts, with.sheet_used_up = true;
	check_ended(POLICY_EVENT_LOOK, with, POLICY_REASON_CPU_REAL_TIME);
	with = facts, with.helper_behind_ns = 2 * MS;
	check_ended(POLICY_EVENT_HELPER, with, POLICY_REASON_HELPER);
	with = facts, with.softirqd_since_ns = 1, with.ran_ns = 2 * MS;
	check_ended(POLICY_EVENT_SOFTIRQD, with, POLICY_REASON_SOFTIRQ);
	with = facts, with.unheard_until_ns = T0 + MS;
	with.unheard_until_ns = T0 + 10 * MS;
	check_ended(POLICY_EVENT_LOOK, with, POLICY_REASON_ATTENTION);
}

/* A boost that began in a run has no deadline of the tracer's there: our timer ends it. */
static void test_its_tokens_are_looked_at(void)
{
	struct policy *policy = make_boosted();

	CHECK_U64(policy_next_ns(policy), T0 + 500 * US);
	policy_free(policy);
}

/* As many boosts as the limit on changes allows, and no more. */
static void test_changes(void)
{
	struct host_caps caps = HOST_CAPS_INIT;
	struct policy *policy = make_always(0);
	struct policy_facts facts = running(500 * US);
	unsigned int boosts = 0;

	for (uint64_t now_ns = T0; now_ns < T0 + NSEC_PER_SEC; now_ns += 100 * US) {
		if (step(policy, POLICY_EVENT_URGENT, facts, now_ns).action != POLICY_BOOST)
			continue;
		boosts++;
		policy_boosted(policy, 1, 0, &facts, now_ns);
		/* its class is changed by others: that is no end of its tokens */
		CHECK_INT(step(policy, POLICY_EVENT_FOREIGN, facts, now_ns).action, POLICY_FORGET);
		step(policy, POLICY_EVENT_RESCAN, facts, now_ns);
	}
	CHECK(boosts > 0 && boosts <= caps.max_changes_per_s * 11 / 10 + 1);
	policy_free(policy);
}

TEST_MAIN(TEST(test_it_does_wish_boosts), TEST(test_refused), TEST(test_held), TEST(test_ended),
          TEST(test_its_tokens_are_looked_at), TEST(test_changes))
