/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state machine of the policy: every state with every event, each hold, each reason. Links
 * src/policy alone, which proves that it needs nothing else.
 */
#include "policy_fixture.h"

static void test_new(void)
{
	struct policy *policy = make(0);

	check_view(policy, POLICY_UNBOOSTED, POLICY_REASON_PROFILE);
	CHECK_U64(policy_next_ns(policy), NSEC_NEVER);
	CHECK_INT(policy_due(policy, NSEC_NEVER), -1);
	CHECK(!policy_free(policy));
	CHECK(!policy_free(NULL));
}

static void test_arms_when_halted(void)
{
	struct policy *policy = make(0);
	struct policy_facts facts = halted();
	struct policy_decision decision = step(policy, POLICY_EVENT_LOOK, facts, T0 + 7);

	CHECK_INT(decision.action, POLICY_BOOST);
	CHECK_INT(decision.reason, POLICY_REASON_WITHIN);
	CHECK(!decision.report_halt);
	CHECK_INT(policy_view(policy, 1)->state, POLICY_UNBOOSTED); /* until it is confirmed */
	policy_boosted(policy, 1, 0, &facts, T0 + 9);
	check_view(policy, POLICY_ARMED, POLICY_REASON_WITHIN);
	CHECK_U64(policy_view(policy, 1)->since_ns, T0 + 9);
	CHECK_U64(policy_view(policy, 1)->boosts_total, 1);
	CHECK_U64(policy_next_ns(policy), NSEC_NEVER); /* a boost within its budget costs nothing */
	policy_free(policy);
}

static void test_awake(void)
{
	static const enum policy_whereabouts awake[] = {POLICY_RUNNING, POLICY_WAITING,
	                                                POLICY_BLOCKED};

	for (size_t i = 0; i < ARRAY_SIZE(awake); i++) {
		struct policy *policy = make(0);
		struct policy_facts facts = halted();
		struct policy_decision decision;

		facts.whereabouts = awake[i];
		decision = step(policy, POLICY_EVENT_LOOK, facts, T0);
		CHECK_INT(decision.action, POLICY_NOTHING);
		CHECK_INT(decision.reason, POLICY_REASON_AWAKE);
		CHECK(decision.report_halt);
		CHECK_U64(policy_view(policy, 1)->denied_total[POLICY_REASON_AWAKE], 0);
		check_view(policy, POLICY_UNBOOSTED, POLICY_REASON_AWAKE);
		arm(policy, T0 + 1);
		policy_free(policy);
	}
}

/* Each hold, alone and on everybody: keeps from arming, unboosts what is armed, and lets go again.
 */

static void check_hold(enum policy_reason hold, bool everybody)
{
	struct policy *policy = make(everybody ? 0 : POLICY_HOLD(hold));
	struct policy_decision decision;

	if (everybody)
		policy_hold_all(policy, POLICY_HOLD(hold));
	CHECK_INT(policy_holds(policy, 1), POLICY_HOLD(hold));
	decision = step(policy, POLICY_EVENT_HALTED, halted(), T0);
	CHECK_INT(decision.action, POLICY_NOTHING);
	CHECK_INT(decision.reason, hold);
	CHECK(!decision.report_halt);
	check_view(policy, POLICY_UNBOOSTED, hold);
	CHECK_U64(policy_view(policy, 1)->denied_total[hold], 1);
	CHECK_U64(policy_next_ns(policy), NSEC_NEVER);

	policy_hold_all(policy, 0);
	policy_hold(policy, 1, 0, POLICY_HOLD(hold));
	arm(policy, T0 + 1);
	if (everybody)
		policy_hold_all(policy, POLICY_HOLD(hold));
	else
		policy_hold(policy, 1, POLICY_HOLD(hold), 0);
	decision = step(policy, POLICY_EVENT_LOOK, running(100 * US), T0 + 2);
	CHECK_INT(decision.action, POLICY_UNBOOST);
	CHECK_INT(decision.reason, hold);
	check_view(policy, POLICY_UNBOOSTED, hold);
	CHECK_U64(policy_next_ns(policy), NSEC_NEVER);
	policy_free(policy);
}

static void test_holds(void)
{
	for (int hold = 0; hold < _POLICY_REASON_HOLD_MAX; hold++) {
		check_hold((enum policy_reason)hold, false);
		check_hold((enum policy_reason)hold, true);
	}
}

static void test_strongest_hold(void)
{
	struct policy *policy =
	        make(POLICY_HOLD(POLICY_REASON_FAILED) | POLICY_HOLD(POLICY_REASON_QUOTA));

	CHECK_INT(step(policy, POLICY_EVENT_LOOK, halted(), T0).reason, POLICY_REASON_QUOTA);
	policy_hold_all(policy, POLICY_HOLD(POLICY_REASON_DISABLED));
	CHECK_INT(step(policy, POLICY_EVENT_LOOK, halted(), T0).reason, POLICY_REASON_DISABLED);
	policy_free(policy);
}

static void test_profile(void)
{
	static const struct {
		enum profile_mode mode;
		bool learned;
		enum policy_reason reason;
	} table[] = {{PROFILE_OFF, false, POLICY_REASON_PROFILE},
	             {PROFILE_OBSERVE, false, POLICY_REASON_PROFILE},
	             {PROFILE_OBSERVE, true, POLICY_REASON_AUTO}};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct policy *policy = make_armed();
		struct profile profile = latency;

		profile.mode = table[i].mode;
		profile.learned = table[i].learned;
		policy_set_profile(policy, 1, &profile);
		CHECK_INT(policy_view(policy, 1)->state, POLICY_ARMED); /* with the next step */
		CHECK_INT(step(policy, POLICY_EVENT_LOOK, halted(), T0).action, POLICY_UNBOOST);
		check_view(policy, POLICY_UNBOOSTED, table[i].reason);
		CHECK_INT(step(policy, POLICY_EVENT_HALTED, halted(), T0).action, POLICY_NOTHING);
		/* nobody asked for a boost there: nothing is denied */
		CHECK_U64(policy_view(policy, 1)->denied_total[table[i].reason], 0);
		policy_set_profile(policy, 1, &latency);
		arm(policy, T0 + 1);
		policy_free(policy);
	}
}

static void test_quota(void)
{
	struct policy *policy = make_armed();
	struct policy_facts facts = halted();

	facts.quota = true;
	CHECK_INT(step(policy, POLICY_EVENT_LOOK, facts, T0).action, POLICY_UNBOOST);
	check_view(policy, POLICY_UNBOOSTED, POLICY_REASON_QUOTA);
	CHECK_INT(step(policy, POLICY_EVENT_HALTED, facts, T0).reason, POLICY_REASON_QUOTA);
	CHECK_U64(policy_view(policy, 1)->denied_total[POLICY_REASON_QUOTA], 1);
	arm(policy, T0 + 1);
	policy_free(policy);
}

/* What a bucket that is not ready yet does: it waits until that time, then arms. */

/* Boosts and unboosts by a hold as fast as it can. */

static void test_foreign(void)
{
	struct policy *policy = make_armed();
	struct policy_decision decision = step(policy, POLICY_EVENT_FOREIGN, halted(), T0 + 1);

	CHECK_INT(decision.action, POLICY_FORGET);
	CHECK_INT(decision.reason, POLICY_REASON_FOREIGN);
	check_view(policy, POLICY_FOREIGN, POLICY_REASON_FOREIGN);
	CHECK_U64(policy_view(policy, 1)->denied_total[POLICY_REASON_FOREIGN], 1);
	/* hands off, whatever is said, holds included */
	policy_hold(policy, 1, POLICY_HOLD(POLICY_REASON_PAUSED), 0);
	for (int event = 0; event < _POLICY_EVENT_MAX; event++) {
		if (event == POLICY_EVENT_RESCAN)
			continue;
		decision = step(policy, (enum policy_event)event, halted(), T0 + 2);
		CHECK_INT(decision.action, POLICY_NOTHING);
		CHECK_INT(decision.reason, POLICY_REASON_FOREIGN);
		check_view(policy, POLICY_FOREIGN, POLICY_REASON_FOREIGN);
		CHECK_U64(policy_next_ns(policy), NSEC_NEVER);
	}
	decision = step(policy, POLICY_EVENT_RESCAN, halted(), T0 + 3);
	CHECK_INT(decision.action, POLICY_NOTHING);
	check_view(policy, POLICY_UNBOOSTED, POLICY_REASON_PAUSED);
	policy_hold(policy, 1, 0, POLICY_HOLD(POLICY_REASON_PAUSED));
	arm(policy, T0 + 4);
	step(policy, POLICY_EVENT_FOREIGN, halted(), T0 + 5);
	CHECK_INT(step(policy, POLICY_EVENT_RESCAN, halted(), T0 + 6).action, POLICY_BOOST);
	policy_free(policy);
}

static void test_refused(void)
{
	static const enum policy_reason tries[] = {POLICY_REASON_RT_REFUSED,
	                                           POLICY_REASON_ALREADY_RT, POLICY_REASON_FAILED};

	for (size_t i = 0; i < ARRAY_SIZE(tries); i++) {
		struct policy *policy = make(0);
		struct policy_facts facts = halted();

		CHECK_INT(step(policy, POLICY_EVENT_HALTED, facts, T0).action, POLICY_BOOST);
		policy_boosted(policy, 1, POLICY_HOLD(tries[i]), &facts, T0);
		check_view(policy, POLICY_UNBOOSTED, tries[i]);
		CHECK_U64(policy_view(policy, 1)->boosts_total, 0);
		CHECK_U64(policy_view(policy, 1)->denied_total[tries[i]], 1);
		/* it is not tried again and again */
		CHECK_U64(policy_next_ns(policy), NSEC_NEVER);
		CHECK_INT(step(policy, POLICY_EVENT_HALTED, facts, T0 + 1).reason, tries[i]);
		/* but when the world may have changed */
		CHECK_INT(step(policy, POLICY_EVENT_RESCAN, facts, T0 + 2).action, POLICY_BOOST);
		policy_free(policy);
	}
}

static void test_rescan_keeps_other_holds(void)
{
	for (int hold = 0; hold < _POLICY_REASON_HOLD_MAX; hold++) {
		struct policy *policy = make(POLICY_HOLD(hold));
		bool tried = hold == POLICY_REASON_RT_REFUSED || hold == POLICY_REASON_ALREADY_RT ||
		             hold == POLICY_REASON_FAILED;

		CHECK_INT(step(policy, POLICY_EVENT_RESCAN, halted(), T0).action,
		          tried ? POLICY_BOOST : POLICY_NOTHING);
		policy_free(policy);
	}
}

static void test_removed(void)
{
	struct policy *policy = make(0);
	struct policy_facts facts = halted();

	facts.full_at_ns = T0 + MS;
	step(policy, POLICY_EVENT_LOOK, facts, T0);
	CHECK_U64(policy_next_ns(policy), T0 + MS);
	policy_remove(policy, 1);
	CHECK_U64(policy_next_ns(policy), NSEC_NEVER);
	for (int event = 0; event < _POLICY_EVENT_MAX; event++) {
		CHECK_INT(step_vcpu(policy, 1, (enum policy_event)event, facts, T0 + MS).action,
		          POLICY_NOTHING);
		CHECK_U64(policy_next_ns(policy), NSEC_NEVER);
	}
	/* its number is used anew: nothing of the old one is left */
	policy_add(policy, 1, &latency, 0, T0 + 2 * MS);
	CHECK_U64(policy_view(policy, 1)->denied_total[POLICY_REASON_BUDGET], 0);
	arm(policy, T0 + 2 * MS);
	policy_free(policy);
}

static void test_several(void)
{
	struct host_caps caps = HOST_CAPS_INIT;
	struct policy *policy = policy_new(4, &caps);
	struct policy_facts facts = halted();
	struct policy_decision decision;

	for (unsigned int i = 0; i < 4; i++) {
		policy_add(policy, i, &latency, 0, T0);
		facts.full_at_ns = T0 + (4 - i) * MS;
		step_vcpu(policy, i, POLICY_EVENT_LOOK, facts, T0);
	}
	for (unsigned int i = 0; i < 4; i++) {
		CHECK_INT(policy_due(policy, T0 + i * MS), -1);
		CHECK_U64(policy_next_ns(policy), T0 + (i + 1) * MS);
		CHECK_INT(policy_due(policy, T0 + (i + 1) * MS), 3 - i);
		facts.full_at_ns = 0;
		decision = step_vcpu(policy, 3 - i, POLICY_EVENT_LOOK, facts, T0 + (i + 1) * MS);
		CHECK_INT(decision.action, POLICY_BOOST);
		policy_boosted(policy, 3 - i, 0, &facts, T0 + (i + 1) * MS);
	}
	CHECK_U64(policy_next_ns(policy), NSEC_NEVER);
	policy_free(policy);
}

static void test_debtor(void)
{
	static const struct policy_debt claims[] = {{7, 10}, {3, 0}, {9, 30}, {1, 30}};

	CHECK_INT(policy_debtor(NULL, 0), -1);
	CHECK_INT(policy_debtor(claims, 1), 0);
	CHECK_INT(policy_debtor(claims + 1, 1), 0); /* owes nothing, but there is nobody else */
	CHECK_INT(policy_debtor(claims, 4), 2);
}

static void check_name(const char *name)
{
	CHECK(name && name[0]);
	for (const char *c = name; *c; c++)
		CHECK((*c >= 'a' && *c <= 'z') || *c == '-');
}

static void test_names(void)
{
	for (int state = 0; state < _POLICY_STATE_MAX; state++)
		check_name(policy_state_name((enum policy_state)state));
	for (int i = 0; i < _POLICY_REASON_MAX; i++) {
		const char *text = policy_reason_text((enum policy_reason)i);

		check_name(policy_reason_name((enum policy_reason)i));
		CHECK(text && strlen(text) > 10 && text[strlen(text) - 1] == '.');
		for (int j = 0; j < i; j++)
			CHECK(strcmp(policy_reason_name((enum policy_reason)i),
			             policy_reason_name((enum policy_reason)j)) != 0);
	}
}

TEST_MAIN({"new", test_new}, {"arms_when_halted", test_arms_when_halted}, {"awake", test_awake},
          {"holds", test_holds}, {"strongest_hold", test_strongest_hold}, {"profile", test_profile},
          {"quota", test_quota}, {"foreign", test_foreign}, {"refused", test_refused},
          {"rescan_keeps_other_holds", test_rescan_keeps_other_holds}, {"removed", test_removed},
          {"several", test_several}, {"debtor", test_debtor}, {"names", test_names})
