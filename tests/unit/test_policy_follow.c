/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Helpers that follow their vCPUs: when one is boosted, for how long, and what it is told of. */
#include "core/follow.h"
#include "policy/follow.h"

#include "policy_fixture.h"

#define WAIT_NS PVS_FOLLOW_WAIT_NS

/* A helper of a domain with the profile latency. */
static struct policy *make_helper(void)
{
	struct profile profile = follow_profile(&latency);
	struct policy *policy = make(0);

	policy_set_profile(policy, 1, &profile);
	return policy;
}

/* It waits for so long, and a vCPU of its domain is boosted. */
static struct policy_facts waits(uint64_t ns)
{
	return (struct policy_facts){.whereabouts = POLICY_WAITING,
	                             .tokens_ns = 300 * US,
	                             .waited_ns = ns,
	                             .awaited = true};
}

static struct policy_facts sleeps(bool steady)
{
	struct policy_facts facts = halted();

	facts.tokens_ns = 250 * US;
	facts.full_at_ns = T0 + 2 * MS;
	facts.awaited = true;
	facts.steady = steady;
	return facts;
}

static struct policy_decision boost(struct policy *policy, uint64_t now_ns)
{
	struct policy_facts facts = waits(WAIT_NS);
	struct policy_decision decision = step(policy, POLICY_EVENT_HELPER_WAITS, facts, now_ns);

	CHECK_INT(decision.action, POLICY_BOOST);
	CHECK_STR(policy_reason_name(decision.reason), "follows");
	policy_boosted(policy, 1, 0, &facts, now_ns);
	check_view(policy, POLICY_ARMED, POLICY_REASON_FOLLOWS);
	return decision;
}

static struct policy *make_boosted(void)
{
	struct policy *policy = make_helper();

	CHECK(boost(policy, T0).report_halt); /* its sleep ends the boost */
	return policy;
}

/* Its own bucket is a small one, within its domain's. */
static void test_profile(void)
{
	struct profile small = {"small", PROFILE_BOOST, 50, 100 * US}, profile;

	profile = follow_profile(&latency);
	CHECK_U64(profile.burst_ns, FOLLOW_BURST_NS);
	CHECK_INT(profile.share_permille, FOLLOW_SHARE_PERMILLE);
	CHECK(profile.of_helper && !profile.on_interrupt);
	CHECK_INT(profile.requests, PROFILE_REQUESTS_IGNORE);
	CHECK_INT(profile.levers, PROFILE_LEVER_RT);
	profile = follow_profile(&small);
	CHECK_U64(profile.burst_ns, 100 * US);
	CHECK_INT(profile.share_permille, 50);
}

/* Asleep, it is not armed, as a vCPU is. It is told of its waits, and of nothing else. */
static void test_sleeps_unboosted(void)
{
	struct policy *policy = make_helper();
	struct policy_decision decision;

	decision = step(policy, POLICY_EVENT_LOOK, sleeps(false), T0 + 4 * MS);
	CHECK_INT(decision.action, POLICY_NOTHING);
	CHECK(!decision.report_halt);
	check_view(policy, POLICY_UNBOOSTED, POLICY_REASON_NOT_AWAITED);
	CHECK(policy_view(policy, 1)->wants_waits);
	CHECK(!policy_view(policy, 1)->wants_interrupt && !policy_view(policy, 1)->wants_urgent);
	CHECK_U64(policy_view(policy, 1)->next_ns, NSEC_NEVER);
	CHECK_U64(denied(policy_view(policy, 1)), 0);
	policy_free(policy);
	/* no vCPU is told of such waits */
	policy = make(0);
	step(policy, POLICY_EVENT_LOOK, running(500 * US), T0);
	CHECK(!policy_view(policy, 1)->wants_waits);
	policy_free(policy);
}

static void test_one_run(void)
{
	struct policy *policy = make_boosted();
	struct policy_facts facts = running(200 * US);
	struct policy_decision decision;

	CHECK(!policy_view(policy, 1)->wants_waits);
	facts.awaited = true;
	CHECK_INT(step(policy, POLICY_EVENT_LOOK, facts, T0 + 10 * US).action, POLICY_NOTHING);
	decision = step(policy, POLICY_EVENT_HALTED, sleeps(false), T0 + 60 * US);
	CHECK_INT(decision.action, POLICY_UNBOOST);
	check_view(policy, POLICY_UNBOOSTED, POLICY_REASON_NOT_AWAITED);
	/* what it has left is enough for the next one */
	facts = waits(WAIT_NS);
	facts.tokens_ns = 250 * US;
	facts.full_at_ns = T0 + 2 * MS;
	CHECK_INT(step(policy, POLICY_EVENT_HELPER_WAITS, facts, T0 + 500 * US).action, POLICY_BOOST);
	policy_free(policy);
}

/* No vCPU of its domain is boosted; it does not wait; it runs by now. */
static void test_not_awaited(void)
{
	struct policy *policy = make_helper();
	struct policy_facts facts = waits(2 * WAIT_NS);

	facts.awaited = false;
	CHECK_INT(step(policy, POLICY_EVENT_HELPER_WAITS, facts, T0).action, POLICY_NOTHING);
	check_view(policy, POLICY_UNBOOSTED, POLICY_REASON_NOT_AWAITED);
	facts = running(300 * US);
	facts.awaited = true;
	CHECK_INT(step(policy, POLICY_EVENT_HELPER_WAITS, facts, T0 + MS).action, POLICY_NOTHING);
	CHECK_INT(step(policy, POLICY_EVENT_LOOK, sleeps(false), T0 + 4 * MS).action,
	          POLICY_NOTHING);
	policy_free(policy);
}

/* A look that finds it waiting comes again when it will have waited for long enough. */
static void test_wait_before_the_look(void)
{
	struct policy *policy = make_helper();

	CHECK_INT(step(policy, POLICY_EVENT_LOOK, waits(30 * US), T0).action, POLICY_NOTHING);
	CHECK_U64(policy_view(policy, 1)->next_ns, T0 + WAIT_NS - 30 * US);
	CHECK_INT(step(policy, POLICY_EVENT_LOOK, waits(WAIT_NS), T0 + 70 * US).action,
	          POLICY_BOOST);
	policy_free(policy);
}

/* Without a token it is no loop: the next look is a wait away. */
static void test_no_tokens(void)
{
	struct policy *policy = make_helper();
	struct policy_facts facts = waits(3 * WAIT_NS);

	facts.tokens_ns = 0;
	CHECK_INT(step(policy, POLICY_EVENT_HELPER_WAITS, facts, T0).action, POLICY_NOTHING);
	CHECK(policy_view(policy, 1)->next_ns >= T0 + WAIT_NS);
	policy_free(policy);
}

/* Calls in vain are not heard for a while. */
static void test_calls_in_vain(void)
{
	struct policy *policy = make_helper();
	struct policy_facts facts = running(300 * US);

	facts.awaited = true;
	for (int i = 0; i < 2; i++) {
		CHECK_INT(step(policy, POLICY_EVENT_HELPER_WAITS, facts, T0 + i * US).action,
		          POLICY_NOTHING);
		CHECK_INT(policy_view(policy, 1)->wants_waits, i == 0);
	}
	CHECK(policy_view(policy, 1)->next_ns > T0 + MS);
	step(policy, POLICY_EVENT_LOOK, facts, policy_view(policy, 1)->next_ns);
	CHECK(policy_view(policy, 1)->wants_waits);
	policy_free(policy);
}

/* Short and regular: it stays boosted asleep, is not reported, and is looked at now and then. */
static void test_armed_ahead(void)
{
	struct policy *policy = make_boosted();
	struct policy_facts facts = running(200 * US);
	struct policy_decision decision;
	uint64_t now_ns = T0 + 60 * US;

	decision = step(policy, POLICY_EVENT_HALTED, sleeps(true), now_ns);
	CHECK_INT(decision.action, POLICY_NOTHING);
	CHECK(!decision.report_halt);
	check_view(policy, POLICY_ARMED, POLICY_REASON_WITHIN);
	now_ns = policy_view(policy, 1)->next_ns;
	CHECK_U64(now_ns, T0 + 60 * US + 100 * MS);
	/* awake at that look: it runs on */
	facts.awaited = facts.steady = true;
	CHECK_INT(step(policy, POLICY_EVENT_LOOK, facts, now_ns).action, POLICY_NOTHING);
	now_ns = policy_view(policy, 1)->next_ns;
	CHECK_INT(step(policy, POLICY_EVENT_LOOK, sleeps(false), now_ns).action, POLICY_UNBOOST);
	check_view(policy, POLICY_UNBOOSTED, POLICY_REASON_NOT_AWAITED);
	policy_free(policy);
}

/* While no vCPU of its domain is boosted it is not armed either. */
static void test_armed_for_its_domain_alone(void)
{
	struct policy *policy = make_boosted();
	struct policy_facts facts = sleeps(true);

	facts.awaited = false;
	CHECK_INT(step(policy, POLICY_EVENT_HALTED, facts, T0 + 60 * US).action, POLICY_UNBOOST);
	CHECK_INT(step(policy, POLICY_EVENT_LOOK, facts, T0 + 4 * MS).action, POLICY_NOTHING);
	facts.awaited = true;
	CHECK_INT(step(policy, POLICY_EVENT_LOOK, facts, T0 + 5 * MS).action, POLICY_BOOST);
	policy_free(policy);
}

/* What bounds a vCPU bounds it: empty buckets, holds, the sheet, another helper that waits. */
static void test_bounds(void)
{
	static const struct {
		enum policy_event event;
		const char *reason;
	} table[] = {{POLICY_EVENT_EXHAUSTED, "budget"},
	             {POLICY_EVENT_DOMAIN_EXHAUSTED, "domain-cap"},
	             {POLICY_EVENT_CPU_EXHAUSTED, "cpu-cap"},
	             {POLICY_EVENT_SHEET_USED_UP, "cpu-real-time"},
	             {POLICY_EVENT_UNSEEN, "unseen"},
	             {POLICY_EVENT_NO_DEADLINE, "no-deadline"}};
	struct policy_facts facts = running(100 * US);
	struct policy *policy;

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		policy = make_boosted();
		CHECK_INT(step(policy, table[i].event, running(0), T0 + 100 * US).action,
		          POLICY_UNBOOST);
		CHECK_STR(policy_reason_name(policy_view(policy, 1)->reason), table[i].reason);
		CHECK_INT(policy_view(policy, 1)->state, POLICY_THROTTLED);
		CHECK(!policy_view(policy, 1)->wants_waits);
		policy_free(policy);
	}
	policy = make_boosted();
	facts.helper_behind_ns = PVS_HELPER_WAIT_NS;
	CHECK_INT(step(policy, POLICY_EVENT_HELPER, facts, T0 + MS).action, POLICY_UNBOOST);
	policy_free(policy);
	policy = make_boosted();
	policy_hold(policy, 1, POLICY_HOLD(POLICY_REASON_PAUSED), 0);
	CHECK_INT(step(policy, POLICY_EVENT_LOOK, running(100 * US), T0 + US).action,
	          POLICY_UNBOOST);
	CHECK_INT(step(policy, POLICY_EVENT_HELPER_WAITS, waits(WAIT_NS), T0 + MS).action, POLICY_NOTHING);
	check_view(policy, POLICY_UNBOOSTED, POLICY_REASON_PAUSED);
	policy_free(policy);
}

/* What is learned of its runs, from the account that the tracer writes. */
static void test_steady(void)
{
	struct pvs_vcpu_account account = {.rule = {.burst_ns = 300 * US}};

	account.work.most_ns = 100 * US;
	account.rhythm = (struct pvs_rhythm){.woken_ns = T0, .period_ns = MS};
	CHECK(pvs_follow_is_steady(&account, T0 + MS));
	CHECK(!pvs_follow_is_steady(&account, T0 + PVS_FOLLOW_STALE_NS));
	account.work.most_ns = 151 * US;
	CHECK(!pvs_follow_is_steady(&account, T0 + MS));
	account.work.most_ns = 0;
	CHECK(!pvs_follow_is_steady(&account, T0 + MS));
	account.work.most_ns = 100 * US;
	account.rhythm.period_ns = PVS_FOLLOW_PERIOD_NS + 1;
	CHECK(!pvs_follow_is_steady(&account, T0 + MS));
	account.rhythm.period_ns = 0;
	CHECK(!pvs_follow_is_steady(&account, T0 + MS));
}

/* A wait is reported once, where it is wanted, and when it is long enough. */
static void test_waits(void)
{
	struct pvs_vcpu_account account = {.flags = PVS_FLAG_REPORT_HELPER_WAITS};

	CHECK(pvs_follow_is_wanted(&account));
	account.flags |= PVS_FLAG_BOOSTED;
	CHECK(!pvs_follow_is_wanted(&account));
	account.flags = 0;
	CHECK(!pvs_follow_is_wanted(&account));
	CHECK(pvs_follow_tell(&account, T0));
	CHECK(!pvs_follow_tell(&account, T0));
	CHECK(pvs_follow_tell(&account, T0 + 1));
	CHECK_U64(pvs_follow_patience(T0, T0), WAIT_NS);
	CHECK_U64(pvs_follow_patience(T0, T0 + 40 * US), WAIT_NS - 40 * US);
	CHECK_U64(pvs_follow_patience(T0, T0 + WAIT_NS), 0);
	CHECK_U64(pvs_follow_patience(T0, T0 - US), WAIT_NS); /* another CPU's clock */
}

TEST_MAIN(TEST(test_profile), TEST(test_sleeps_unboosted), TEST(test_one_run),
          TEST(test_not_awaited), TEST(test_wait_before_the_look), TEST(test_no_tokens),
          TEST(test_calls_in_vain), TEST(test_armed_ahead), TEST(test_armed_for_its_domain_alone),
          TEST(test_bounds), TEST(test_steady), TEST(test_waits))
