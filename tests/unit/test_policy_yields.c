// SPDX-License-Identifier: GPL-2.0-or-later
/* A guest that does ordinary work: when it yields, and when it has its boost again. */
#include "policy_request_fixture.h"

static void test_ordinary_yields_and_keeps_its_tokens(void)
{
	struct policy *policy = make_armed();
	struct policy_facts facts = runs_ordinary(0);
	struct policy_decision decision;

	facts.full_at_ns = T0 + 20 * MS; /* far from full */
	decision = step(policy, POLICY_EVENT_ORDINARY, facts, T0 + MS);
	CHECK_INT(decision.action, POLICY_UNBOOST);
	CHECK(decision.report_halt);
	check_view(policy, POLICY_UNBOOSTED, POLICY_REASON_ORDINARY);
	CHECK(policy_view(policy, 1)->wants_urgent);
	CHECK_U64(policy_view(policy, 1)->yields_total, 1);
	/* armed at its next halt with what it has left, */
	facts.whereabouts = POLICY_HALTED;
	CHECK_INT(step(policy, POLICY_EVENT_HALTED, facts, T0 + 2 * MS).action, POLICY_BOOST);
	policy_free(policy);
	/* but not with nothing, */
	policy = make_armed();
	step(policy, POLICY_EVENT_ORDINARY, runs_ordinary(0), T0 + MS);
	facts.tokens_ns = 10 * US;
	CHECK_INT(step(policy, POLICY_EVENT_HALTED, facts, T0 + 2 * MS).action, POLICY_NOTHING);
	check_view(policy, POLICY_THROTTLED, POLICY_REASON_BUDGET);
	policy_free(policy);
	/* and not when it had used them up */
	policy = make_armed();
	facts.tokens_ns = 400 * US;
	CHECK_INT(step(policy, POLICY_EVENT_EXHAUSTED, facts, T0 + MS).action, POLICY_UNBOOST);
	CHECK_INT(step(policy, POLICY_EVENT_HALTED, facts, T0 + 2 * MS).action, POLICY_NOTHING);
	policy_free(policy);
}

static void test_the_grace_of_an_interrupt(void)
{
	struct policy *policy = make_armed();
	struct policy_facts facts = runs_ordinary(0);

	CHECK_U64(policy_view(policy, 1)->grace_ns, GRACE_NS);
	facts.ran_ns = GRACE_NS / 2;
	CHECK_INT(step(policy, POLICY_EVENT_ORDINARY, facts, T0 + MS).action, POLICY_NOTHING);
	CHECK(!policy_view(policy, 1)->wants_ordinary);
	CHECK_U64(policy_next_ns(policy), T0 + MS + GRACE_NS / 2);
	policy_free(policy);
}

/* The booster that looks runs on the vCPU's own CPU, and so preempted it. */
static void test_ordinary_yields_also_behind_the_booster(void)
{
	struct policy *policy = make_armed();
	struct policy_facts facts = waiting(PVSCHED_URGENCY_ORDINARY);

	/* woken and not yet served: its interrupt may lead to something urgent */
	CHECK_INT(step(policy, POLICY_EVENT_ORDINARY, facts, T0 + MS).action, POLICY_NOTHING);
	check_view(policy, POLICY_ARMED, POLICY_REASON_WITHIN);
	facts.preempted_after_ns = GRACE_NS / 2;
	CHECK_INT(step(policy, POLICY_EVENT_ORDINARY, facts, T0 + MS).action, POLICY_NOTHING);
	CHECK_U64(policy_next_ns(policy), T0 + MS + GRACE_NS / 2);
	facts.preempted_after_ns = GRACE_NS;
	CHECK_INT(step(policy, POLICY_EVENT_LOOK, facts, T0 + 2 * MS).action, POLICY_UNBOOST);
	check_view(policy, POLICY_UNBOOSTED, POLICY_REASON_ORDINARY);
	policy_free(policy);
}

static void test_expected_is_boosted_in_time(void)
{
	struct policy *policy = make_armed();
	uint64_t expected_ns = T0 + 2 * MS, look_ns;

	CHECK_INT(step(policy, POLICY_EVENT_ORDINARY, runs_ordinary(expected_ns), T0 + MS).action,
	          POLICY_UNBOOST);
	look_ns = policy_next_ns(policy);
	CHECK(look_ns < expected_ns && look_ns > expected_ns - 200 * US);
	boost_requested(policy, runs_ordinary(expected_ns), POLICY_EVENT_LOOK, look_ns);
	/* not yielded again before it had the chance to say something else */
	CHECK_INT(step(policy, POLICY_EVENT_ORDINARY, runs_ordinary(expected_ns), look_ns + 10 * US)
	                  .action,
	          POLICY_NOTHING);
	CHECK(!policy_view(policy, 1)->wants_ordinary);
	CHECK(policy_next_ns(policy) > expected_ns);
	/* it never came */
	while (policy_next_ns(policy) < expected_ns + MS &&
	       policy_view(policy, 1)->state == POLICY_ARMED)
		step(policy, POLICY_EVENT_LOOK, runs_ordinary(expected_ns), policy_next_ns(policy));
	check_view(policy, POLICY_UNBOOSTED, POLICY_REASON_ORDINARY);
	policy_free(policy);
}

/* What waits runs before the boost returns: the tracer must know before what is wanted of it. */
static void test_yields_are_wanted_before_the_raise(void)
{
	struct policy *policy = make_awake();
	struct policy_facts facts = waiting(PVSCHED_URGENCY_URGENT);

	CHECK_INT(step(policy, POLICY_EVENT_URGENT, facts, T0 + 1).action, POLICY_BOOST);
	CHECK(policy_view(policy, 1)->wants_ordinary);
	CHECK(!policy_view(policy, 1)->wants_urgent);
	policy_boosted(policy, 1, POLICY_HOLD(POLICY_REASON_FAILED), &facts, T0 + 1);
	CHECK(!policy_view(policy, 1)->wants_ordinary);
	policy_free(policy);
}

/* Boosted while it runs: no switch-in starts the tracer's looks, the policy's own do instead. */
static void test_a_run_it_was_boosted_in_is_looked_at(void)
{
	struct policy *policy = make_awake();
	struct policy_facts facts = running(500 * US);
	struct policy_decision decision = {.action = POLICY_NOTHING};
	uint64_t now_ns = T0 + MS;

	facts.urgency = PVSCHED_URGENCY_URGENT;
	facts.ran_ns = MS;
	boost_requested(policy, facts, POLICY_EVENT_URGENT, now_ns);
	for (int i = 0; i < 3; i++) {
		CHECK(policy_next_ns(policy) >= now_ns + 20 * US);
		CHECK(policy_next_ns(policy) <= now_ns + 2 * PVS_REQUEST_GRACE_NS);
		now_ns = policy_next_ns(policy);
		CHECK_INT(step(policy, POLICY_EVENT_LOOK, facts, now_ns).action, POLICY_NOTHING);
	}
	now_ns = policy_next_ns(policy);
	facts.urgency = PVSCHED_URGENCY_ORDINARY;
	decision = step(policy, POLICY_EVENT_LOOK, facts, now_ns);
	CHECK_INT(decision.action, POLICY_UNBOOST);
	CHECK_INT(decision.reason, POLICY_REASON_ORDINARY);
	policy_free(policy);
}

/* One that is not heard is looked at when its tokens end, and not before. */
static void test_who_is_not_heard_is_not_looked_at(void)
{
	struct profile deaf = latency;
	struct policy *policy = make_awake();
	struct policy_facts facts = running(500 * US);

	deaf.requests = PROFILE_REQUESTS_IGNORE;
	policy_set_profile(policy, 1, &deaf);
	policy_boost(policy, 1, T0 + 50 * MS);
	facts.urgency = PVSCHED_URGENCY_URGENT;
	CHECK_INT(step(policy, POLICY_EVENT_LOOK, facts, T0 + MS).action, POLICY_BOOST);
	policy_boosted(policy, 1, 0, &facts, T0 + MS);
	CHECK_U64(policy_next_ns(policy), T0 + MS + 500 * US);
	policy_free(policy);
}

static void test_too_soon_is_not_worth_it(void)
{
	struct policy *policy = make_armed();

	CHECK_INT(step(policy, POLICY_EVENT_ORDINARY, runs_ordinary(T0 + MS + 30 * US), T0 + MS)
	                  .action,
	          POLICY_NOTHING);
	check_view(policy, POLICY_ARMED, POLICY_REASON_WITHIN);
	policy_free(policy);
}

/* A guest that toggles without end is soon treated as one that says nothing. */
static void test_toggling_ends_at_the_change_limit(void)
{
	struct policy *policy = make_armed();
	struct host_caps caps = HOST_CAPS_INIT;
	unsigned int changes = 0;
	uint64_t now_ns = T0;

	for (unsigned int i = 0; i < 100000; i++, now_ns += 10 * US) {
		bool armed = policy_view(policy, 1)->state == POLICY_ARMED;
		struct policy_facts facts =
		        armed ? runs_ordinary(0) : waiting(PVSCHED_URGENCY_URGENT);
		struct policy_decision decision = step(
		        policy, armed ? POLICY_EVENT_ORDINARY : POLICY_EVENT_URGENT, facts, now_ns);

		if (decision.action == POLICY_BOOST) {
			changes++;
			policy_boosted(policy, 1, 0, &facts, now_ns);
		}
	}
	CHECK(changes > 0);
	CHECK(changes <= caps.max_changes_per_s + caps.max_changes_per_s / 10 + 1);
	/* and it ends boosted, as if it had not asked, not locked out */
	check_view(policy, POLICY_ARMED, POLICY_REASON_REQUESTED);
	policy_free(policy);
}

TEST_MAIN({"ordinary_yields_and_keeps_its_tokens", test_ordinary_yields_and_keeps_its_tokens},
          {"the_grace_of_an_interrupt", test_the_grace_of_an_interrupt},
          {"ordinary_yields_also_behind_the_booster", test_ordinary_yields_also_behind_the_booster},
          {"expected_is_boosted_in_time", test_expected_is_boosted_in_time},
          {"yields_are_wanted_before_the_raise", test_yields_are_wanted_before_the_raise},
          {"a_run_it_was_boosted_in_is_looked_at", test_a_run_it_was_boosted_in_is_looked_at},
          {"who_is_not_heard_is_not_looked_at", test_who_is_not_heard_is_not_looked_at},
          {"too_soon_is_not_worth_it", test_too_soon_is_not_worth_it},
          {"toggling_ends_at_the_change_limit", test_toggling_ends_at_the_change_limit})
