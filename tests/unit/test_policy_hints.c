/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the policy makes of a guest whose scheduler says what runs: an agent's. */
#include "policy_request_fixture.h"

static struct policy_facts agent_runs(enum pvsched_urgency urgency, uint64_t ran_ns,
                                      uint64_t said_ns)
{
	struct policy_facts facts = running(400 * US);

	facts.agent = true;
	facts.urgency = urgency;
	facts.ran_ns = ran_ns;
	facts.said_ns = said_ns;
	return facts;
}

/* Woken boosted for ordinary work, it yields as soon as that is seen; without an agent later. */
static void test_a_short_grace(void)
{
	struct policy *policy = make_armed();
	uint64_t woken_ns = T0 + 10 * MS, now_ns = woken_ns + PVS_AGENT_GRACE_NS;
	struct policy_facts facts =
	        agent_runs(PVSCHED_URGENCY_ORDINARY, PVS_AGENT_GRACE_NS, T0 + MS);

	CHECK(PVS_AGENT_GRACE_NS >= PVS_CHARGE_MIN_NS); /* less would save nothing */
	facts.agent = false;
	CHECK_INT(step(policy, POLICY_EVENT_ORDINARY, facts, now_ns).action, POLICY_NOTHING);
	facts.agent = true;
	facts.ran_ns--;
	CHECK_INT(step(policy, POLICY_EVENT_ORDINARY, facts, now_ns - 1).action, POLICY_NOTHING);
	CHECK_U64(policy_view(policy, 1)->grace_ns, PVS_AGENT_GRACE_NS);
	facts.ran_ns++;
	CHECK_INT(step(policy, POLICY_EVENT_ORDINARY, facts, now_ns).action, POLICY_UNBOOST);
	check_view(policy, POLICY_UNBOOSTED, POLICY_REASON_ORDINARY);
	policy_free(policy);
}

/* It has become ordinary in this run: the grace begins then. */
static void test_after_urgent_work(void)
{
	struct policy *policy = make_armed();
	uint64_t woken_ns = T0 + 10 * MS, done_ns = woken_ns + 80 * US;

	CHECK_INT(step(policy, POLICY_EVENT_LOOK, agent_runs(PVSCHED_URGENCY_URGENT, 70 * US, T0),
	               woken_ns + 70 * US)
	                  .action,
	          POLICY_NOTHING);
	CHECK_INT(step(policy, POLICY_EVENT_ORDINARY,
	               agent_runs(PVSCHED_URGENCY_ORDINARY, 100 * US, done_ns), woken_ns + 100 * US)
	                  .action,
	          POLICY_NOTHING);
	CHECK_INT(step(policy, POLICY_EVENT_ORDINARY,
	               agent_runs(PVSCHED_URGENCY_ORDINARY, 110 * US, done_ns),
	               done_ns + PVS_AGENT_GRACE_NS)
	                  .action,
	          POLICY_UNBOOST);
	policy_free(policy);
}

/* Asleep, its guest is idle: it is armed, since nothing tells for what it will be woken. */
static void test_idle_is_armed(void)
{
	struct policy *policy = make(0);
	struct policy_facts facts = halted();

	facts.agent = true;
	facts.urgency = PVSCHED_URGENCY_ORDINARY;
	CHECK_INT(step(policy, POLICY_EVENT_HALTED, facts, T0).action, POLICY_BOOST);
	policy_free(policy);
}

/* A vCPU that waits for its domain's bucket, turned away as often as the others. */
static uint64_t looked_at_ns(uint32_t priority, enum policy_reason reason, unsigned int times)
{
	struct policy *policy = make_awake();
	struct policy_facts facts = waiting(PVSCHED_URGENCY_URGENT);
	uint64_t at_ns = 0;

	facts.priority = priority;
	for (unsigned int i = 1; i <= times; i++) {
		uint64_t now_ns = T0 + i * 20 * MS;

		facts.domain_at_ns = reason == POLICY_REASON_DOMAIN_CAP ? now_ns + MS : 0;
		facts.cpu_at_ns = reason == POLICY_REASON_CPU_CAP ? now_ns + MS : 0;
		CHECK_INT(step(policy, POLICY_EVENT_URGENT, facts, now_ns).action, POLICY_NOTHING);
		CHECK_INT(policy_view(policy, 1)->reason, reason);
		at_ns = policy_next_ns(policy) - now_ns;
	}
	policy_free(policy);
	return at_ns;
}

/* Within a domain the guest's priorities say who is served first, and cost it next to nothing. */
static void test_the_order_of_a_domain(void)
{
	for (unsigned int times = 1; times < 4; times++) {
		uint64_t first = looked_at_ns(99, POLICY_REASON_DOMAIN_CAP, times);
		uint64_t none = looked_at_ns(0, POLICY_REASON_DOMAIN_CAP, times), last = first;

		CHECK_U64(first, none);
		for (uint32_t priority = 98; priority >= 1; priority--) {
			uint64_t at_ns = looked_at_ns(priority, POLICY_REASON_DOMAIN_CAP, times);

			CHECK(at_ns > last && at_ns < first + MS);
			last = at_ns;
		}
	}
}

/* Between domains it counts nothing: there the profiles do. */
static void test_no_order_between_domains(void)
{
	CHECK_U64(looked_at_ns(99, POLICY_REASON_CPU_CAP, 1),
	          looked_at_ns(1, POLICY_REASON_CPU_CAP, 1));
	CHECK_U64(looked_at_ns(99, POLICY_REASON_CPU_CAP, 2),
	          looked_at_ns(1, POLICY_REASON_CPU_CAP, 2));
}

/* A profile that ignores the guest has no order of the guest's either. */
static void test_ignored(void)
{
	struct profile deaf = latency;
	struct policy *policy = make(0);
	struct policy_facts facts = halted();

	deaf.requests = PROFILE_REQUESTS_IGNORE;
	policy_set_profile(policy, 1, &deaf);
	facts.agent = true;
	facts.priority = 1;
	facts.urgency = PVSCHED_URGENCY_URGENT;
	facts.domain_at_ns = T0 + MS;
	CHECK_INT(step(policy, POLICY_EVENT_HALTED, facts, T0).action, POLICY_NOTHING);
	CHECK_U64(policy_next_ns(policy), T0 + MS);
	CHECK(policy_view(policy, 1)->grace_ns >= PVS_REQUEST_GRACE_NS);
	policy_free(policy);
}

TEST_MAIN(TEST(test_a_short_grace), TEST(test_after_urgent_work), TEST(test_idle_is_armed),
          TEST(test_the_order_of_a_domain), TEST(test_no_order_between_domains), TEST(test_ignored))
