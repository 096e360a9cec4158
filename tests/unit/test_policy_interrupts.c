/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Interrupts that come while a vCPU waits to run, and guests that spin. */
#include "core/account.h"

#include "policy_fixture.h"

/* A quarter of a full burst. */
#define RUN_NS ((uint64_t)125 * US)

#define SPIN_HOLD_NS ((uint64_t)2 * MS)

static const struct profile heeds = {"latency", PROFILE_BOOST,         200,
                                     500 * US,  PROFILE_REQUESTS_HEED, true};

static struct policy_facts waits(void)
{
	return (struct policy_facts){.whereabouts = POLICY_WAITING,
	                             .tokens_ns = 500 * US,
	                             .interrupted = true,
	                             .preempted_after_ns = 3 * MS};
}

static struct policy_facts runs(uint64_t ran_ns)
{
	struct policy_facts facts = running(400 * US);

	facts.ran_ns = ran_ns;
	facts.full_at_ns = T0 + 100 * MS;
	return facts;
}

/* Awake and unboosted, nothing in its way. */
static struct policy *make_awake(void)
{
	struct policy *policy = make(0);

	policy_set_profile(policy, 1, &heeds);
	CHECK_INT(step(policy, POLICY_EVENT_LOOK, running(500 * US), T0).action, POLICY_NOTHING);
	check_view(policy, POLICY_UNBOOSTED, POLICY_REASON_AWAKE);
	CHECK(policy_view(policy, 1)->wants_interrupt);
	return policy;
}

static void boost_for_interrupt(struct policy *policy, uint64_t now_ns)
{
	struct policy_facts facts = waits();
	struct policy_decision decision = step(policy, POLICY_EVENT_INTERRUPT, facts, now_ns);

	CHECK_INT(decision.action, POLICY_BOOST);
	CHECK_STR(policy_reason_name(decision.reason), "interrupt");
	policy_boosted(policy, 1, 0, &facts, now_ns);
	check_view(policy, POLICY_ARMED, POLICY_REASON_INTERRUPT);
}

static void test_waiting_is_boosted_and_given_back(void)
{
	struct policy *policy = make_awake();
	struct policy_decision decision;

	boost_for_interrupt(policy, T0 + MS);
	CHECK(!policy_view(policy, 1)->wants_interrupt);
	CHECK_U64(policy_view(policy, 1)->interrupts_total, 1);
	CHECK_U64(policy_next_ns(policy), T0 + MS + RUN_NS);
	/* it was switched in late: the rest of its time */
	decision = step(policy, POLICY_EVENT_LOOK, runs(RUN_NS - 20 * US), T0 + MS + RUN_NS);
	CHECK_INT(decision.action, POLICY_NOTHING);
	CHECK_U64(policy_next_ns(policy), T0 + MS + RUN_NS + 20 * US);
	decision = step(policy, POLICY_EVENT_LOOK, runs(RUN_NS), T0 + MS + RUN_NS + 20 * US);
	CHECK_INT(decision.action, POLICY_UNBOOST);
	CHECK(decision.report_halt);
	check_view(policy, POLICY_UNBOOSTED, POLICY_REASON_AWAKE);
	CHECK(policy_view(policy, 1)->wants_interrupt);
	/* no throttle, no strike: what is left is its own, and enough to arm it */
	CHECK_U64(policy_view(policy, 1)->throttles_total, 0);
	arm(policy, T0 + 2 * MS);
	check_view(policy, POLICY_ARMED, POLICY_REASON_WITHIN);
	policy_free(policy);
}

/* Served and asleep: armed, as if it had been when it went to sleep. */
static void test_asleep_stays_armed(void)
{
	struct policy *policy = make_awake();

	boost_for_interrupt(policy, T0 + MS);
	CHECK_INT(step(policy, POLICY_EVENT_LOOK, halted(), T0 + MS + RUN_NS).action,
	          POLICY_NOTHING);
	check_view(policy, POLICY_ARMED, POLICY_REASON_WITHIN);
	CHECK_INT(step(policy, POLICY_EVENT_LOOK, runs(4 * MS), T0 + 2 * MS).action,
	          POLICY_NOTHING);
	policy_free(policy);
}

/* It sleeps between the looks: it is not looked at for ever. */
static void test_slept_between_looks(void)
{
	struct policy *policy = make_awake();

	boost_for_interrupt(policy, T0 + MS);
	step(policy, POLICY_EVENT_LOOK, runs(10 * US), T0 + MS + RUN_NS);
	CHECK_INT(step(policy, POLICY_EVENT_LOOK, runs(10 * US), T0 + 2 * MS).action,
	          POLICY_NOTHING);
	check_view(policy, POLICY_ARMED, POLICY_REASON_WITHIN);
	policy_free(policy);
}

/* Behind other real-time threads: its time has not begun. */
static void test_still_waiting(void)
{
	struct policy *policy = make_awake();
	struct policy_facts facts = waits();

	boost_for_interrupt(policy, T0 + MS);
	facts.waited_ns = MS;
	CHECK_INT(step(policy, POLICY_EVENT_LOOK, facts, T0 + MS + RUN_NS).action, POLICY_NOTHING);
	check_view(policy, POLICY_ARMED, POLICY_REASON_INTERRUPT);
	CHECK_U64(policy_next_ns(policy), T0 + 2 * MS + RUN_NS);
	policy_free(policy);
}

/* Each of these alone keeps it from being boosted. */
static void test_not_boosted(void)
{
	struct policy_facts running_already = running(500 * US), quiet = waits(), poor = waits(),
	                    owing = waits();
	struct profile unwilling = heeds;
	struct policy *policy = make_awake();

	quiet.interrupted = false;
	poor.tokens_ns = 4 * PVS_TOKENS_MIN_NS - 4; /* of its domain, or its CPU */
	CHECK_INT(step(policy, POLICY_EVENT_INTERRUPT, running_already, T0 + 1).action,
	          POLICY_NOTHING);
	CHECK_INT(step(policy, POLICY_EVENT_INTERRUPT, quiet, T0 + 2).action, POLICY_NOTHING);
	CHECK_INT(step(policy, POLICY_EVENT_INTERRUPT, poor, T0 + 3).action, POLICY_NOTHING);
	check_view(policy, POLICY_UNBOOSTED, POLICY_REASON_AWAKE);
	owing.full_at_ns = T0 + MS;
	CHECK_INT(step(policy, POLICY_EVENT_INTERRUPT, owing, T0 + 4).reason, POLICY_REASON_BUDGET);
	CHECK(!policy_view(policy, 1)->wants_interrupt);
	CHECK_INT(step(policy, POLICY_EVENT_LOOK, running_already, T0 + 2 * MS).action,
	          POLICY_NOTHING);
	unwilling.on_interrupt = false;
	policy_set_profile(policy, 1, &unwilling);
	CHECK_INT(step(policy, POLICY_EVENT_INTERRUPT, waits(), T0 + 3 * MS).action,
	          POLICY_NOTHING);
	CHECK(!policy_view(policy, 1)->wants_interrupt);
	policy_set_profile(policy, 1, &heeds);
	policy_hold(policy, 1, POLICY_HOLD(POLICY_REASON_PAUSED), 0);
	CHECK_INT(step(policy, POLICY_EVENT_INTERRUPT, waits(), T0 + 4 * MS).reason,
	          POLICY_REASON_PAUSED);
	policy_free(policy);
}

/* After any number of them more than half of the burst is left to arm it with. */
static void test_leaves_tokens(void)
{
	struct policy *policy = make_awake();
	struct policy_facts facts = waits();
	uint64_t now_ns = T0 + 10 * MS;

	boost_for_interrupt(policy, T0 + MS);
	CHECK_INT(step(policy, POLICY_EVENT_LOOK, runs(RUN_NS), T0 + MS + RUN_NS).action,
	          POLICY_UNBOOST);
	/* a quarter is missing: 125 us of tokens, repaid in 625 us */
	facts.tokens_ns = 375 * US;
	facts.full_at_ns = now_ns + REFILL_NS / 4 + 1;
	CHECK_INT(step(policy, POLICY_EVENT_INTERRUPT, facts, now_ns).action, POLICY_NOTHING);
	facts.full_at_ns = now_ns + REFILL_NS / 4;
	CHECK_INT(step(policy, POLICY_EVENT_INTERRUPT, facts, now_ns).action, POLICY_BOOST);
	policy_boosted(policy, 1, 0, &facts, now_ns);
	CHECK_U64(policy_next_ns(policy), now_ns + 375 * US / 4);
	policy_free(policy);
}

/* Given back with less than it takes: none is told of until that is there, and nobody looks. */
static void test_not_told_without_tokens(void)
{
	struct policy *policy = make_awake();
	struct policy_facts spent = runs(RUN_NS), facts = waits();
	uint64_t from_ns = spent.full_at_ns - REFILL_NS / 4;

	CHECK_U64(policy_view(policy, 1)->interrupts_from_ns, 0);
	boost_for_interrupt(policy, T0 + MS);
	CHECK_INT(step(policy, POLICY_EVENT_LOOK, spent, T0 + MS + RUN_NS).action, POLICY_UNBOOST);
	CHECK(policy_view(policy, 1)->wants_interrupt);
	CHECK_U64(policy_view(policy, 1)->interrupts_from_ns, from_ns);
	CHECK_U64(policy_next_ns(policy), NSEC_NEVER);
	/* one that was on its way */
	facts.full_at_ns = spent.full_at_ns + 7;
	CHECK_INT(step(policy, POLICY_EVENT_INTERRUPT, facts, from_ns).action, POLICY_NOTHING);
	CHECK_U64(policy_view(policy, 1)->interrupts_from_ns, from_ns + 7);
	CHECK_U64(policy_next_ns(policy), NSEC_NEVER);
	CHECK_INT(step(policy, POLICY_EVENT_INTERRUPT, facts, from_ns + 7).action, POLICY_BOOST);
	policy_free(policy);
}

/* Two events of one preemption, one boost. */
static void test_one_event_one_boost(void)
{
	struct policy *policy = make_awake();
	struct policy_facts facts = waits();

	facts.urgency = PVSCHED_URGENCY_URGENT;
	CHECK_INT(step(policy, POLICY_EVENT_URGENT, facts, T0 + MS).reason,
	          POLICY_REASON_REQUESTED);
	policy_boosted(policy, 1, 0, &facts, T0 + MS);
	CHECK_INT(step(policy, POLICY_EVENT_INTERRUPT, facts, T0 + MS + 1).action, POLICY_NOTHING);
	CHECK_U64(policy_view(policy, 1)->boosts_total, 1);
	CHECK_U64(policy_view(policy, 1)->interrupts_total, 0);
	policy_free(policy);
}

/* What the interrupt led to is urgent: no longer a matter of the interrupt. */
static void test_urgent_after_interrupt(void)
{
	struct policy *policy = make_awake();
	struct policy_facts facts = runs(RUN_NS);

	boost_for_interrupt(policy, T0 + MS);
	facts.urgency = PVSCHED_URGENCY_URGENT;
	CHECK_INT(step(policy, POLICY_EVENT_LOOK, facts, T0 + MS + RUN_NS).action, POLICY_NOTHING);
	check_view(policy, POLICY_ARMED, POLICY_REASON_REQUESTED);
	policy_free(policy);
}

/* Interrupts leave a wait alone that others have begun: after calls in vain, after short halts. */
static void test_plans_stay(void)
{
	struct policy *policy = make_awake();
	struct policy_facts facts = running(500 * US);
	uint64_t planned_ns;

	facts.urgency = PVSCHED_URGENCY_ORDINARY;
	step(policy, POLICY_EVENT_URGENT, facts, T0 + 1);
	step(policy, POLICY_EVENT_URGENT, facts, T0 + 2);
	CHECK(!policy_view(policy, 1)->wants_urgent);
	planned_ns = policy_next_ns(policy);
	step(policy, POLICY_EVENT_INTERRUPT, facts, T0 + MS);
	CHECK_U64(policy_next_ns(policy), planned_ns);
	CHECK(!policy_view(policy, 1)->wants_urgent);
	step(policy, POLICY_EVENT_LOOK, facts, planned_ns);
	CHECK(policy_view(policy, 1)->wants_urgent);
	CHECK(!step(policy, POLICY_EVENT_HALTED, facts, planned_ns + 1).report_halt);
	planned_ns = policy_next_ns(policy);
	CHECK(!step(policy, POLICY_EVENT_INTERRUPT, facts, planned_ns - 1).report_halt);
	CHECK_U64(policy_next_ns(policy), planned_ns);
	policy_free(policy);
}

static void spin(struct policy *policy, uint64_t now_ns, uint64_t hold_ns)
{
	struct policy_decision decision = step(policy, POLICY_EVENT_SPIN, runs(50 * US), now_ns);

	CHECK_INT(decision.action, POLICY_UNBOOST);
	CHECK_STR(policy_reason_name(decision.reason), "spin");
	CHECK(!decision.report_halt);
	check_view(policy, POLICY_UNBOOSTED, POLICY_REASON_SPIN);
	CHECK_U64(policy_next_ns(policy), now_ns + hold_ns);
	CHECK(!policy_view(policy, 1)->wants_interrupt);
}

static void test_spinning_is_held_back(void)
{
	struct policy *policy = make_armed();
	struct policy_facts facts = halted();

	policy_set_profile(policy, 1, &heeds);
	spin(policy, T0 + MS, SPIN_HOLD_NS);
	CHECK_U64(policy_view(policy, 1)->spins_total, 1);
	CHECK_U64(policy_view(policy, 1)->throttles_total, 0);
	CHECK_INT(step(policy, POLICY_EVENT_HALTED, halted(), T0 + 2 * MS).action, POLICY_NOTHING);
	check_view(policy, POLICY_UNBOOSTED, POLICY_REASON_SPIN);
	CHECK_INT(step(policy, POLICY_EVENT_INTERRUPT, waits(), T0 + 2 * MS).action,
	          POLICY_NOTHING);
	/* its tokens are its own: it need not have all of them back */
	facts.tokens_ns = 300 * US;
	facts.full_at_ns = T0 + 100 * MS;
	CHECK_INT(step(policy, POLICY_EVENT_LOOK, facts, T0 + MS + SPIN_HOLD_NS).action,
	          POLICY_BOOST);
	policy_free(policy);
}

/* Longer each time, at most eight times as long; one that has not spun for long begins anew. */
static void test_spins_again(void)
{
	static const unsigned int factors[] = {1, 2, 4, 8, 8};
	struct policy *policy = make(0);
	uint64_t now_ns = T0;

	for (size_t i = 0; i < ARRAY_SIZE(factors); i++) {
		arm(policy, now_ns + 1);
		now_ns += MS;
		spin(policy, now_ns, factors[i] * SPIN_HOLD_NS);
		now_ns += factors[i] * SPIN_HOLD_NS;
	}
	now_ns += 200 * MS;
	arm(policy, now_ns);
	spin(policy, now_ns + 1, SPIN_HOLD_NS);
	policy_free(policy);
}

/* A sign that comes late, of a run that was not boosted any more. */
static void test_spin_unboosted(void)
{
	struct policy *policy = make_awake();

	CHECK_INT(step(policy, POLICY_EVENT_SPIN, running(500 * US), T0 + 1).action,
	          POLICY_NOTHING);
	check_view(policy, POLICY_UNBOOSTED, POLICY_REASON_AWAKE);
	policy_free(policy);
}

TEST_MAIN({"waiting-is-boosted-and-given-back", test_waiting_is_boosted_and_given_back},
          {"asleep-stays-armed", test_asleep_stays_armed},
          {"slept-between-looks", test_slept_between_looks}, {"still-waiting", test_still_waiting},
          {"not-boosted", test_not_boosted}, {"leaves-tokens", test_leaves_tokens},
          {"not-told-without-tokens", test_not_told_without_tokens},
          {"one-event-one-boost", test_one_event_one_boost},
          {"urgent-after-interrupt", test_urgent_after_interrupt}, {"plans-stay", test_plans_stay},
          {"spinning-is-held-back", test_spinning_is_held_back}, {"spins-again", test_spins_again},
          {"spin-unboosted", test_spin_unboosted})
