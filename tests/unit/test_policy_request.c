// SPDX-License-Identifier: GPL-2.0-or-later
/* What a guest may ask for, and what it gets. */
#include "policy_request_fixture.h"

static void test_urgent_is_boosted_when_preempted(void)
{
	struct policy *policy = make_awake();

	CHECK(policy_view(policy, 1)->wants_urgent);
	CHECK(!policy_view(policy, 1)->wants_ordinary);
	boost_requested(policy, waiting(PVSCHED_URGENCY_URGENT), POLICY_EVENT_URGENT, T0 + 1);
	CHECK(!policy_view(policy, 1)->wants_urgent);
	CHECK(policy_view(policy, 1)->wants_ordinary);
	policy_free(policy);
}

/* Lazily: one that runs undisturbed needs nothing. */
static void test_urgent_and_running_needs_no_boost(void)
{
	struct policy *policy = make_awake();
	struct policy_facts facts = running(500 * US);

	facts.urgency = PVSCHED_URGENCY_URGENT;
	CHECK_INT(step(policy, POLICY_EVENT_LOOK, facts, T0 + 1).action, POLICY_NOTHING);
	boost_requested(policy, waiting(PVSCHED_URGENCY_URGENT), POLICY_EVENT_LOOK, T0 + 2);
	policy_free(policy);
}

static void test_without_a_request_is_not_boosted_awake(void)
{
	enum pvsched_urgency asks[] = {PVSCHED_URGENCY_NONE, PVSCHED_URGENCY_ORDINARY};

	for (size_t i = 0; i < ARRAY_SIZE(asks); i++) {
		struct policy *policy = make_awake();

		CHECK_INT(step(policy, POLICY_EVENT_URGENT, waiting(asks[i]), T0 + 1).action,
		          POLICY_NOTHING);
		policy_free(policy);
	}
}

/* An empty bucket, a hold, a back-off: asking changes nothing. */
static void test_asking_beats_no_cap(void)
{
	struct policy_facts facts = waiting(PVSCHED_URGENCY_URGENT);
	struct policy *policy = make_awake();

	facts.full_at_ns = T0 + MS;
	CHECK_INT(step(policy, POLICY_EVENT_URGENT, facts, T0 + 1).action, POLICY_NOTHING);
	check_view(policy, POLICY_THROTTLED, POLICY_REASON_BUDGET);
	CHECK(!policy_view(policy, 1)->wants_urgent);
	CHECK_U64(policy_next_ns(policy), T0 + MS);
	facts.full_at_ns = 0;
	facts.domain_at_ns = T0 + 2 * MS;
	CHECK_INT(step(policy, POLICY_EVENT_URGENT, facts, T0 + 2).action, POLICY_NOTHING);
	check_view(policy, POLICY_UNBOOSTED, POLICY_REASON_DOMAIN_CAP);
	facts.domain_at_ns = 0;
	policy_hold(policy, 1, POLICY_HOLD(POLICY_REASON_PAUSED), 0);
	CHECK_INT(step(policy, POLICY_EVENT_URGENT, facts, T0 + 3).action, POLICY_NOTHING);
	check_view(policy, POLICY_UNBOOSTED, POLICY_REASON_PAUSED);
	policy_free(policy);
}

/* When the bucket is full again and the guest still waits urgently, it is boosted then. */
static void test_urgent_is_boosted_after_the_refill(void)
{
	struct policy *policy = make_armed();
	struct policy_facts facts = waiting(PVSCHED_URGENCY_URGENT);

	facts.full_at_ns = T0 + 10 * MS + REFILL_NS;
	CHECK_INT(step(policy, POLICY_EVENT_EXHAUSTED, facts, T0 + 50 * MS).action, POLICY_UNBOOST);
	check_view(policy, POLICY_THROTTLED, POLICY_REASON_BUDGET);
	facts.full_at_ns = 0;
	boost_requested(policy, facts, POLICY_EVENT_LOOK, policy_next_ns(policy));
	policy_free(policy);
}

static void test_ignore(void)
{
	struct profile deaf = latency;
	struct policy *policy = make_awake();

	deaf.requests = PROFILE_REQUESTS_IGNORE;
	policy_set_profile(policy, 1, &deaf);
	CHECK_INT(step(policy, POLICY_EVENT_URGENT, waiting(PVSCHED_URGENCY_URGENT), T0 + 1).action,
	          POLICY_NOTHING);
	CHECK(!policy_view(policy, 1)->wants_urgent);
	arm(policy, T0 + MS);
	CHECK_INT(step(policy, POLICY_EVENT_ORDINARY, runs_ordinary(0), T0 + 2 * MS).action,
	          POLICY_NOTHING);
	policy_free(policy);
}

static void test_require(void)
{
	struct profile strict = latency;
	struct policy *policy = make(0);
	struct policy_facts facts = halted();

	strict.requests = PROFILE_REQUESTS_REQUIRE;
	policy_set_profile(policy, 1, &strict);
	CHECK_INT(step(policy, POLICY_EVENT_HALTED, facts, T0).action, POLICY_NOTHING);
	check_view(policy, POLICY_UNBOOSTED, POLICY_REASON_NO_REQUEST);
	CHECK(policy_view(policy, 1)->wants_urgent);
	facts.urgency = PVSCHED_URGENCY_ORDINARY; /* it takes part: armed like any other */
	CHECK_INT(step(policy, POLICY_EVENT_HALTED, facts, T0 + MS).action, POLICY_BOOST);
	policy_boosted(policy, 1, 0, &facts, T0 + MS);
	facts.urgency = PVSCHED_URGENCY_NONE; /* it was not renewed */
	CHECK_INT(step(policy, POLICY_EVENT_LOOK, facts, T0 + 2 * MS).action, POLICY_UNBOOST);
	check_view(policy, POLICY_UNBOOSTED, POLICY_REASON_NO_REQUEST);
	policy_free(policy);
}

/* Nobody but a look sees that a request of one that sleeps armed has lapsed. */
static void test_require_is_looked_at(void)
{
	struct profile strict = latency;
	struct policy *policy = make(0);
	struct policy_facts facts = halted();

	strict.requests = PROFILE_REQUESTS_REQUIRE;
	policy_set_profile(policy, 1, &strict);
	facts.urgency = PVSCHED_URGENCY_URGENT;
	CHECK_INT(step(policy, POLICY_EVENT_HALTED, facts, T0).action, POLICY_BOOST);
	policy_boosted(policy, 1, 0, &facts, T0);
	CHECK_U64(policy_next_ns(policy), T0 + PVSCHED_REQUEST_LEASE_NS);
	CHECK_INT(step(policy, POLICY_EVENT_LOOK, facts, policy_next_ns(policy)).action,
	          POLICY_NOTHING);
	CHECK_U64(policy_next_ns(policy), T0 + 2 * PVSCHED_REQUEST_LEASE_NS);
	facts.urgency = PVSCHED_URGENCY_NONE;
	CHECK_INT(step(policy, POLICY_EVENT_LOOK, facts, policy_next_ns(policy)).action,
	          POLICY_UNBOOST);
	policy_free(policy);
}

/* Urgent for the tracer, something else for the booster: calls in vain are soon not heard. */
static void test_calls_in_vain(void)
{
	struct policy *policy = make_awake();
	struct policy_facts facts = running(500 * US);
	uint64_t now_ns = T0;
	unsigned int calls = 0;

	facts.urgency = PVSCHED_URGENCY_ORDINARY;
	while (now_ns < T0 + 100 * MS) {
		now_ns += 20 * US;
		if (policy_next_ns(policy) <= now_ns)
			step(policy, POLICY_EVENT_LOOK, facts, now_ns);
		if (!policy_view(policy, 1)->wants_urgent)
			continue;
		calls++;
		CHECK_INT(step(policy, POLICY_EVENT_URGENT, facts, now_ns).action, POLICY_NOTHING);
	}
	CHECK(calls > 10 && calls <= 100);
	/* and heard again, whatever happens to it meanwhile */
	while (policy_view(policy, 1)->wants_urgent)
		step(policy, POLICY_EVENT_URGENT, facts, ++now_ns);
	step(policy, POLICY_EVENT_RESCAN, facts, ++now_ns);
	CHECK(policy_view(policy, 1)->wants_urgent || policy_next_ns(policy) != NSEC_NEVER);
	while (policy_view(policy, 1)->wants_urgent)
		step(policy, POLICY_EVENT_URGENT, facts, ++now_ns);
	step(policy, POLICY_EVENT_HALTED, facts, ++now_ns);
	step(policy, POLICY_EVENT_LOOK, facts, policy_next_ns(policy));
	CHECK(policy_view(policy, 1)->wants_urgent);
	policy_free(policy);
}

/* A call in vain, of one that gave its boost back until later: its halts are told of all the same.
 */
static void test_a_call_in_vain_keeps_halts(void)
{
	struct policy *policy = make_armed();
	struct policy_facts facts = runs_ordinary(T0 + 900 * MS);
	struct policy_decision decision;

	decision = step(policy, POLICY_EVENT_ORDINARY, facts, T0 + MS);
	CHECK_INT(decision.action, POLICY_UNBOOST);
	CHECK(decision.report_halt);
	CHECK(policy_next_ns(policy) > T0 + 800 * MS);
	for (unsigned int i = 1; i < 10; i++) {
		decision = step(policy, POLICY_EVENT_URGENT, facts, T0 + MS + i);
		CHECK_INT(decision.action, POLICY_NOTHING);
		CHECK(decision.report_halt);
	}
	policy_free(policy);
}

/* Each time somebody has come to boost it, it will be urgent a little later: it costs nothing. */
static void test_putting_off_is_in_vain(void)
{
	struct policy *policy = make_awake();
	unsigned int looks = 0;
	uint64_t now_ns = T0;

	step(policy, POLICY_EVENT_LOOK, runs_ordinary(now_ns + 25 * US), now_ns);
	while ((now_ns = policy_next_ns(policy)) < T0 + 100 * MS) {
		looks++;
		CHECK_INT(step(policy, POLICY_EVENT_LOOK, runs_ordinary(now_ns + 25 * US), now_ns)
		                  .action,
		          POLICY_NOTHING);
	}
	CHECK(looks > 0 && looks <= 3 * 100 / 2);
	policy_free(policy);
}

/* One that stays urgent in the run it was boosted in is not looked at all the time. */
static void test_urgent_is_looked_at_ever_less(void)
{
	struct policy *policy = make_awake();
	struct policy_facts facts = waiting(PVSCHED_URGENCY_URGENT);
	uint64_t begin_ns = T0 + MS, end_ns = T0 + 6 * MS;
	unsigned int looks = 0;

	facts.tokens_ns = 500 * MS;
	CHECK_INT(step(policy, POLICY_EVENT_URGENT, facts, begin_ns).action, POLICY_BOOST);
	facts.whereabouts = POLICY_RUNNING;
	policy_boosted(policy, 1, 0, &facts, begin_ns);
	CHECK(policy_next_ns(policy) >= begin_ns + PVS_REQUEST_GRACE_NS);
	CHECK(policy_next_ns(policy) < begin_ns + 2 * PVS_REQUEST_GRACE_NS);
	while (policy_next_ns(policy) < end_ns) {
		looks++;
		CHECK_INT(step(policy, POLICY_EVENT_LOOK, facts, policy_next_ns(policy)).action,
		          POLICY_NOTHING);
	}
	CHECK(looks > 4 && looks < 25);
	policy_free(policy);
}

/* What is not seen to run may run uncharged: it does not stay boosted for that. */
static void test_unseen(void)
{
	struct policy *policy = make_awake();
	struct policy_facts facts = waiting(PVSCHED_URGENCY_URGENT);

	boost_requested(policy, facts, POLICY_EVENT_URGENT, T0 + 1);
	CHECK(policy_next_ns(policy) <= T0 + 1 + PVS_UNSEEN_NS);
	facts.waited_ns = PVS_UNSEEN_NS / 2;
	while (policy_next_ns(policy) < T0 + PVS_UNSEEN_NS)
		CHECK_INT(step(policy, POLICY_EVENT_LOOK, facts, policy_next_ns(policy)).action,
		          POLICY_NOTHING);
	facts.waited_ns = PVS_UNSEEN_NS;
	CHECK_INT(step(policy, POLICY_EVENT_LOOK, facts, policy_next_ns(policy)).action,
	          POLICY_UNBOOST);
	check_view(policy, POLICY_THROTTLED, POLICY_REASON_UNSEEN);
	policy_free(policy);
	policy = make_armed();
	CHECK_INT(step(policy, POLICY_EVENT_UNSEEN, facts, T0 + MS).action, POLICY_UNBOOST);
	check_view(policy, POLICY_THROTTLED, POLICY_REASON_UNSEEN);
	policy_free(policy);
}

static void test_by_command(void)
{
	struct policy *policy = make_awake();
	struct policy_facts facts = running(500 * US);

	policy_boost(policy, 1, T0 + 5 * MS);
	CHECK_INT(step(policy, POLICY_EVENT_LOOK, facts, T0 + MS).action, POLICY_BOOST);
	policy_boosted(policy, 1, 0, &facts, T0 + MS);
	check_view(policy, POLICY_ARMED, POLICY_REASON_COMMAND);
	/* whatever its guest says */
	CHECK_INT(step(policy, POLICY_EVENT_ORDINARY, runs_ordinary(0), T0 + 2 * MS).action,
	          POLICY_NOTHING);
	/* while its tokens last */
	CHECK_INT(step(policy, POLICY_EVENT_EXHAUSTED, running(0), T0 + 3 * MS).action,
	          POLICY_UNBOOST);
	policy_free(policy);
	/* and for its time */
	policy = make_awake();
	policy_boost(policy, 1, T0 + 5 * MS);
	step(policy, POLICY_EVENT_LOOK, facts, T0 + MS);
	policy_boosted(policy, 1, 0, &facts, T0 + MS);
	facts.tokens_ns = 300 * US;
	while (policy_next_ns(policy) < T0 + 5 * MS)
		CHECK_INT(step(policy, POLICY_EVENT_LOOK, facts, policy_next_ns(policy)).action,
		          POLICY_NOTHING);
	CHECK_INT(step(policy, POLICY_EVENT_LOOK, facts, policy_next_ns(policy)).action,
	          POLICY_UNBOOST);
	check_view(policy, POLICY_UNBOOSTED, POLICY_REASON_AWAKE);
	policy_free(policy);
	/* not past a hold */
	policy = make(POLICY_HOLD(POLICY_REASON_QUOTA));
	policy_boost(policy, 1, T0 + 5 * MS);
	CHECK_INT(step(policy, POLICY_EVENT_LOOK, facts, T0 + MS).action, POLICY_NOTHING);
	check_view(policy, POLICY_UNBOOSTED, POLICY_REASON_QUOTA);
	policy_free(policy);
}

TEST_MAIN({"urgent_is_boosted_when_preempted", test_urgent_is_boosted_when_preempted},
          {"urgent_and_running_needs_no_boost", test_urgent_and_running_needs_no_boost},
          {"without_a_request_is_not_boosted_awake", test_without_a_request_is_not_boosted_awake},
          {"asking_beats_no_cap", test_asking_beats_no_cap},
          {"urgent_is_boosted_after_the_refill", test_urgent_is_boosted_after_the_refill},
          {"ignore", test_ignore}, {"require", test_require},
          {"require_is_looked_at", test_require_is_looked_at},
          {"calls_in_vain", test_calls_in_vain},
          {"a_call_in_vain_keeps_halts", test_a_call_in_vain_keeps_halts},
          {"putting_off_is_in_vain", test_putting_off_is_in_vain},
          {"urgent_is_looked_at_ever_less", test_urgent_is_looked_at_ever_less},
          {"unseen", test_unseen}, {"by_command", test_by_command})
