/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The work of a wake-up, learned, and what the policy makes of a vCPU whose tokens do not cover it.
 * Links src/policy alone.
 */
#include "core/work.h"
#include "policy_fixture.h"

#define S NSEC_PER_SEC

static void wakes(struct pvs_work *work, __u64 work_ns, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		/* in two runs: it was preempted in between */
		pvs_work_add(work, work_ns / 3);
		pvs_work_add(work, work_ns - work_ns / 3);
		pvs_work_done(work);
	}
}

static void test_the_same_each_time(void)
{
	struct pvs_work work = {};

	CHECK_U64(work.most_ns, 0);
	wakes(&work, 490 * US, 1);
	CHECK_U64(work.most_ns, 490 * US);
	wakes(&work, 490 * US, 100);
	CHECK_U64(work.most_ns, 490 * US);
	CHECK_U64(work.least_ns, 490 * US);
	CHECK_U64(work.so_far_ns, 0);
}

/* Each bound follows in its own direction within 40 wake-ups, and in the other within some 300. */
static void test_how_fast_it_learns(void)
{
	struct pvs_work work = {};
	unsigned int n;

	wakes(&work, 50 * US, 1);
	for (n = 0; work.most_ns < 400 * US; n++)
		wakes(&work, 400 * US, 1);
	CHECK_LE(n, 40);
	for (; work.least_ns < 400 * US; n++)
		wakes(&work, 400 * US, 1);
	CHECK_GE(n, 100);
	CHECK_LE(n, 400);
	for (n = 0; work.least_ns > 50 * US; n++)
		wakes(&work, 50 * US, 1);
	CHECK_LE(n, 40);
	for (; work.most_ns > 50 * US; n++)
		wakes(&work, 50 * US, 1);
	CHECK_GE(n, 200);
	CHECK_LE(n, 400);
}

/* One piece in twenty that is unlike the others is unusual, one in four is not. */
static void test_what_is_usual(void)
{
	struct pvs_work work = {};

	wakes(&work, 20 * US, 1);
	for (unsigned int i = 0; i < 1000; i++) {
		wakes(&work, 20 * US, 19);
		wakes(&work, MS, 1);
	}
	CHECK_LE(work.most_ns, 40 * US);
	for (unsigned int i = 0; i < 1000; i++) {
		wakes(&work, 20 * US, 3);
		wakes(&work, MS, 1);
	}
	CHECK_GE(work.most_ns, 800 * US);
	CHECK_LE(work.least_ns, 30 * US);
}

static void test_no_work_and_too_much(void)
{
	struct pvs_work work = {};

	wakes(&work, 0, 3);
	CHECK_U64(work.most_ns, 0);
	wakes(&work, ~0ULL / 2, 2);
	CHECK_U64(work.most_ns, ~0ULL / 2);
	wakes(&work, 0, 100000);
	CHECK_U64(work.most_ns, 0);
}

static struct pvs_vcpu_account account(__u64 work_ns, __u64 owed_ns)
{
	return (struct pvs_vcpu_account){
	        .rule = {.burst_ns = 500 * US, .share_permille = 200},
	        .repaid_at_ns = S + owed_ns * 5,
	        .work = {.most_ns = work_ns, .least_ns = work_ns},
	};
}

static void test_is_short(void)
{
	struct pvs_vcpu_account vcpu = account(300 * US, 190 * US);

	CHECK(!pvs_work_is_short(&vcpu, S));
	vcpu = account(300 * US, 210 * US);
	CHECK(pvs_work_is_short(&vcpu, S));
	/* until it is woken as usual, 0.7 ms later, 140 us come back */
	vcpu.rhythm = (struct pvs_rhythm){.woken_ns = S - 300 * US, .period_ns = MS};
	CHECK(!pvs_work_is_short(&vcpu, S));
	/* its price is doubled: what is left is worth half */
	vcpu.entitled_permille = 100;
	CHECK(pvs_work_is_short(&vcpu, S));
	/* nothing known of its work: the deadline ends that */
	vcpu = account(0, 400 * US);
	CHECK(!pvs_work_is_short(&vcpu, S));
}

static void test_no_whole_pieces(void)
{
	struct pvs_vcpu_account vcpu = account(501 * US, 400 * US);

	/* more than a burst holds */
	CHECK(!pvs_work_is_short(&vcpu, S));
	vcpu = account(500 * US, 400 * US);
	CHECK(pvs_work_is_short(&vcpu, S));
	/* each time another one: the next one may be covered */
	vcpu.work.least_ns = 249 * US;
	CHECK(!pvs_work_is_short(&vcpu, S));
	vcpu.work.least_ns = 250 * US;
	CHECK(pvs_work_is_short(&vcpu, S));
}

static struct policy_facts short_of(uint64_t full_at_ns)
{
	struct policy_facts facts = halted();

	facts.tokens_ns = 100 * US;
	facts.full_at_ns = full_at_ns;
	return facts;
}

static void test_ends_asleep(void)
{
	struct policy *policy = make_armed();
	struct policy_decision decision;

	decision = step(policy, POLICY_EVENT_SHORT, short_of(T0 + 6 * MS), T0 + 3 * MS);
	CHECK_INT(decision.action, POLICY_UNBOOST);
	check_view(policy, POLICY_THROTTLED, POLICY_REASON_BUDGET);
	CHECK_U64(policy_view(policy, 1)->shorts_total, 1);
	CHECK_U64(policy_next_ns(policy), T0 + 6 * MS);
	CHECK_INT(step(policy, POLICY_EVENT_HALTED, short_of(T0 + 6 * MS), T0 + 5 * MS).action,
	          POLICY_NOTHING);
	/* full again, and no strike: armed at the first look or halt */
	CHECK_INT(step(policy, POLICY_EVENT_LOOK, halted(), T0 + 6 * MS).action, POLICY_BOOST);
	policy_free(policy);
}

/* However little it used: not more boosts than it could empty its bucket. */
static void test_as_far_apart_as_emptied_buckets(void)
{
	struct policy *policy = make_armed();

	step(policy, POLICY_EVENT_SHORT, short_of(T0 + MS + 1), T0 + MS);
	CHECK_U64(policy_next_ns(policy), T0 + REFILL_NS);
	CHECK_INT(step(policy, POLICY_EVENT_HALTED, halted(), T0 + 2 * MS).action, POLICY_NOTHING);
	CHECK_INT(step(policy, POLICY_EVENT_HALTED, halted(), T0 + REFILL_NS).action, POLICY_BOOST);
	policy_free(policy);
}

static void test_forgives_strikes(void)
{
	struct policy *policy = make_armed();
	uint64_t now = T0 + MS;

	step(policy, POLICY_EVENT_EXHAUSTED, running(0), now);
	now += 2 * REFILL_NS;
	arm(policy, now);
	now += MS;
	step(policy, POLICY_EVENT_SHORT, short_of(now), now);
	now += REFILL_NS;
	arm(policy, now);
	now += MS;
	/* the first one again */
	step(policy, POLICY_EVENT_EXHAUSTED, running(0), now);
	CHECK_U64(policy_next_ns(policy), now + 2 * REFILL_NS);
	policy_free(policy);
}

static void check_goes_on(struct policy_facts facts, bool commanded)
{
	struct policy *policy = make_armed();

	if (commanded)
		policy_boost(policy, 1, T0 + S);
	CHECK_INT(step(policy, POLICY_EVENT_SHORT, facts, T0 + MS).action, POLICY_NOTHING);
	CHECK_INT(policy_view(policy, 1)->state, POLICY_ARMED);
	CHECK_U64(policy_view(policy, 1)->shorts_total, 0);
	policy_free(policy);
}

/* Awake again, commanded, or with a guest that yields by itself what it does not need. */
static void test_goes_on(void)
{
	struct policy_facts facts = short_of(T0 + 2 * MS);

	check_goes_on(facts, true);
	facts.urgency = PVSCHED_URGENCY_URGENT;
	check_goes_on(facts, false);
	check_goes_on(running(100 * US), false);
	facts = running(100 * US);
	facts.whereabouts = POLICY_WAITING;
	check_goes_on(facts, false);
}

TEST_MAIN(TEST(test_the_same_each_time), TEST(test_how_fast_it_learns), TEST(test_what_is_usual),
          TEST(test_no_work_and_too_much), TEST(test_is_short), TEST(test_no_whole_pieces),
          TEST(test_ends_asleep), TEST(test_as_far_apart_as_emptied_buckets),
          TEST(test_forgives_strikes), TEST(test_goes_on))
