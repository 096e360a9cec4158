// SPDX-License-Identifier: GPL-2.0-or-later
/* A thread that works for a domain waits behind the domain's own vCPUs. */
#include "policy_fixture.h"
#include "core/account.h"

/* @behind_ns of the wait of a helper are behind the vCPU. */
static struct policy_facts hindering(uint64_t behind_ns)
{
	struct policy_facts facts = running(300 * US);

	facts.helper_waits = true;
	facts.helper_behind_ns = behind_ns;
	return facts;
}

static void test_makes_room(void)
{
	struct policy *policy = make_armed();
	struct policy_facts facts = hindering(PVS_HELPER_WAIT_NS);
	uint64_t now = T0 + 900 * US;

	facts.full_at_ns = now + 10 * US;
	CHECK_INT(step(policy, POLICY_EVENT_HELPER, facts, now).action, POLICY_UNBOOST);
	check_view(policy, POLICY_THROTTLED, POLICY_REASON_HELPER);
	CHECK_U64(policy_view(policy, 1)->denied_total[POLICY_REASON_HELPER], 1);
	/* not at once again, though its bucket is almost full and its guest idle */
	CHECK_U64(policy_next_ns(policy), now + REFILL_NS);
	CHECK_INT(step(policy, POLICY_EVENT_HALTED, halted(), now + MS).action, POLICY_NOTHING);
	check_view(policy, POLICY_UNBOOSTED, POLICY_REASON_HELPER);
	CHECK_INT(step(policy, POLICY_EVENT_LOOK, halted(), now + REFILL_NS).action, POLICY_BOOST);
	policy_free(policy);
}

/* By the time that the event is read the helper runs, or another one has just begun to wait. */
static void test_a_late_event_is_harmless(void)
{
	struct policy *policy = make_armed();

	CHECK_INT(step(policy, POLICY_EVENT_HELPER, running(300 * US), T0 + MS).action,
	          POLICY_NOTHING);
	CHECK_INT(step(policy, POLICY_EVENT_HELPER, hindering(500 * US), T0 + MS).action,
	          POLICY_NOTHING);
	check_view(policy, POLICY_ARMED, POLICY_REASON_WITHIN);
	policy_free(policy);
}

/* Asleep it is in nobody's way, and would be at once when it woke. */
static void test_armed_while_a_helper_starves(void)
{
	struct policy *policy = make_armed();
	struct policy_facts facts = halted();

	facts.helper_waits = true;
	facts.helper_behind_ns = PVS_HELPER_WAIT_NS;
	CHECK_INT(step(policy, POLICY_EVENT_HELPER, facts, T0 + MS).action, POLICY_UNBOOST);
	policy_free(policy);
}

/* Not boosted while one waits so, and looked at ever later: nobody tells when that is over. */
static void test_not_boosted_while_a_helper_starves(void)
{
	struct policy *policy = make(0);
	struct policy_facts facts = halted();
	uint64_t now = T0, before = 0, waited;

	facts.helper_waits = true;
	facts.helper_behind_ns = PVS_HELPER_WAIT_NS;
	for (int i = 0; i < 20; i++) {
		CHECK_INT(step(policy, POLICY_EVENT_LOOK, facts, now).action, POLICY_NOTHING);
		check_view(policy, POLICY_UNBOOSTED, POLICY_REASON_HELPER);
		waited = policy_next_ns(policy) - now;
		CHECK(waited >= PVS_HELPER_WAIT_NS && waited >= before && waited <= 256 * MS);
		before = waited;
		now = policy_next_ns(policy);
	}
	CHECK_U64(policy_view(policy, 1)->denied_total[POLICY_REASON_HELPER], 20);
	facts.helper_behind_ns = PVS_HELPER_WAIT_NS / 2;
	CHECK_INT(step(policy, POLICY_EVENT_LOOK, facts, now).action, POLICY_BOOST);
	policy_free(policy);
}

/* In a run that it was boosted in, nobody but us looks at a helper that waited already. */
static void test_watched_when_boosted_awake(void)
{
	struct policy *policy = make(0);
	struct policy_facts facts = hindering(200 * US);

	facts.tokens_ns = 2 * MS;
	policy_boost(policy, 1, T0 + NSEC_PER_SEC);
	CHECK_INT(step(policy, POLICY_EVENT_LOOK, facts, T0).action, POLICY_BOOST);
	policy_boosted(policy, 1, 0, &facts, T0);
	CHECK_U64(policy_next_ns(policy), T0 + 800 * US);
	facts.helper_behind_ns = PVS_HELPER_WAIT_NS;
	CHECK_INT(step(policy, POLICY_EVENT_LOOK, facts, T0 + 800 * US).action, POLICY_UNBOOST);
	check_view(policy, POLICY_THROTTLED, POLICY_REASON_HELPER);
	policy_free(policy);
}

TEST_MAIN({"makes_room", test_makes_room},
          {"a_late_event_is_harmless", test_a_late_event_is_harmless},
          {"armed_while_a_helper_starves", test_armed_while_a_helper_starves},
          {"not_boosted_while_a_helper_starves", test_not_boosted_while_a_helper_starves},
          {"watched_when_boosted_awake", test_watched_when_boosted_awake})
