// SPDX-License-Identifier: GPL-2.0-or-later
/* ksoftirqd waits on the CPU of a boosted vCPU, which answers for what it kept it waiting itself.
 */
#include "policy_fixture.h"

/* ksoftirqd waits for @waited_ns; the vCPU has run for @ran_ns. */
static struct policy_facts with_softirqd(uint64_t now_ns, uint64_t waited_ns, uint64_t ran_ns,
                                         int64_t tokens_ns)
{
	struct policy_facts facts = running(tokens_ns);

	facts.softirqd_since_ns = now_ns - waited_ns;
	facts.ran_ns = ran_ns;
	facts.full_at_ns = now_ns + 10 * US;
	return facts;
}

static void test_what_it_kept_waiting_itself(void)
{
	static const struct {
		uint64_t waited_ns, ran_ns;
		bool ends;
	} table[] = {
	        {MS, MS, true},           {MS, 9 * MS, true}, /* ksoftirqd woke in mid-run */
	        {9 * MS, MS, true},                           /* it waited before, too */
	        {9 * MS, 0, false},                           /* behind others alone */
	        {9 * MS, MS - US, false},                     /* mostly behind others */
	        {MS - US, 9 * MS, false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct policy *policy = make_armed();
		uint64_t now = T0 + 20 * MS;
		struct policy_facts facts =
		        with_softirqd(now, table[i].waited_ns, table[i].ran_ns, 300 * US);
		struct policy_decision decision = step(policy, POLICY_EVENT_SOFTIRQD, facts, now);

		printf("# %zu\n", i);
		CHECK_INT(decision.action, table[i].ends ? POLICY_UNBOOST : POLICY_NOTHING);
		if (table[i].ends)
			check_view(policy, POLICY_THROTTLED, POLICY_REASON_SOFTIRQ);
		policy_free(policy);
	}
}

/* Its deadline may not fire now: its tokens' end and the millisecond are both looked at. */
static void test_looks(void)
{
	struct policy *policy = make_armed();
	uint64_t now = T0 + 20 * MS;

	step(policy, POLICY_EVENT_SOFTIRQD, with_softirqd(now, 5 * MS, 200 * US, 5 * MS), now);
	CHECK_U64(policy_next_ns(policy), now + 800 * US);
	step(policy, POLICY_EVENT_SOFTIRQD, with_softirqd(now, 5 * MS, 200 * US, 300 * US), now);
	CHECK_U64(policy_next_ns(policy), now + 300 * US);
	now += 300 * US;
	CHECK_INT(step(policy, POLICY_EVENT_LOOK, with_softirqd(now, 5 * MS, 500 * US, 0), now)
	                  .action,
	          POLICY_UNBOOST);
	check_view(policy, POLICY_THROTTLED, POLICY_REASON_BUDGET);
	policy_free(policy);
}

/* Asleep it keeps nothing waiting. */
static void test_asleep(void)
{
	struct policy *policy = make_armed();
	struct policy_facts facts = halted();

	facts.softirqd_since_ns = T0;
	CHECK_INT(step(policy, POLICY_EVENT_SOFTIRQD, facts, T0 + 9 * MS).action, POLICY_NOTHING);
	check_view(policy, POLICY_ARMED, POLICY_REASON_WITHIN);
	policy_free(policy);
}

TEST_MAIN(TEST(test_what_it_kept_waiting_itself), TEST(test_looks), TEST(test_asleep))
