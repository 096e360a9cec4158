// SPDX-License-Identifier: GPL-2.0-or-later
/* What the policy does where a change takes longer than usual, or less: as the facts say. */
#include "policy_request_fixture.h"

#define SLOW_NS ((uint64_t)PVS_TOKENS_MOST_NS)
#define FAST_NS ((uint64_t)PVS_TOKENS_LEAST_NS)

static const uint64_t acts_ns[] = {FAST_NS, PVS_TOKENS_MIN_NS, SLOW_NS};

static struct policy_facts at_price(struct policy_facts facts, uint64_t act_ns)
{
	facts.prices.tokens_min_ns = (uint32_t)act_ns;
	return facts;
}

/* As long as nothing is learned, a vCPU is boosted so long before it is to be urgent. */
static void test_lead(void)
{
	uint64_t expected_ns = T0 + 5 * MS;

	for (size_t i = 0; i < ARRAY_SIZE(acts_ns); i++) {
		struct policy *policy = make_awake();
		struct policy_facts facts = at_price(runs_ordinary(expected_ns), acts_ns[i]);

		CHECK_INT(step(policy, POLICY_EVENT_LOOK, facts, T0 + MS).action, POLICY_NOTHING);
		CHECK_U64(policy_next_ns(policy), expected_ns - acts_ns[i]);
		policy_free(policy);
	}
}

/* Ordinary work is not interrupted by a yield for less than that costs. */
static void test_grace(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(acts_ns); i++) {
		struct policy *policy = make_armed();

		step(policy, POLICY_EVENT_LOOK, at_price(halted(), acts_ns[i]), T0 + MS);
		CHECK_U64(policy_view(policy, 1)->grace_ns, 3 * acts_ns[i]);
		policy_free(policy);
	}
}

/* A wake-up for ordinary work has its grace, or what it is charged for anyway. */
static void test_grace_of_an_agent(void)
{
	static const struct {
		uint32_t charge_ns;
		uint64_t grace_ns;
	} cases[] = {{0, PVS_AGENT_GRACE_NS},
	             {PVS_CHARGE_LEAST_NS, PVS_AGENT_GRACE_NS},
	             {PVS_CHARGE_MOST_NS, PVS_CHARGE_MOST_NS}};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct policy *policy = make_armed();
		struct policy_facts facts = halted();

		facts.agent = true;
		facts.prices.charge_min_ns = cases[i].charge_ns;
		step(policy, POLICY_EVENT_LOOK, facts, T0 + MS);
		CHECK_U64(policy_view(policy, 1)->grace_ns, cases[i].grace_ns);
		policy_free(policy);
	}
}

/* How many vCPUs of a crowd may be pushed at once. */
static unsigned int pushes(uint64_t act_ns)
{
	struct host_caps caps = HOST_CAPS_INIT;
	struct policy *policy = policy_new(64, &caps);
	struct policy_facts asleep = at_price(halted(), act_ns),
	                    runs = at_price(running(0), act_ns);
	unsigned int n = 0;

	CHECK(policy);
	runs.room_elsewhere = true;
	for (unsigned int i = 0; i < 64; i++) {
		policy_add(policy, i, &latency, 0, T0);
		CHECK_INT(step_vcpu(policy, i, POLICY_EVENT_HALTED, asleep, T0).action,
		          POLICY_BOOST);
		policy_boosted(policy, i, 0, &asleep, T0);
	}
	for (unsigned int i = 0; i < 64; i++)
		n += step_vcpu(policy, i, POLICY_EVENT_MAY_PUSH, runs, T0 + MS).action ==
		     POLICY_PUSH;
	policy_free(policy);
	return n;
}

/* They take the booster's real time: the slower it is, the fewer. */
static void test_pushes(void)
{
	CHECK_INT(pushes(0), 16);
	CHECK_INT(pushes(PVS_TOKENS_MIN_NS), 16);
	CHECK_INT(pushes(FAST_NS), 33);
	CHECK_INT(pushes(SLOW_NS), 8);
}

TEST_MAIN(TEST(test_lead), TEST(test_grace), TEST(test_grace_of_an_agent), TEST(test_pushes))
