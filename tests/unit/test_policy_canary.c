// SPDX-License-Identifier: GPL-2.0-or-later
/* When an ordinary thread that does not come to run says that vCPUs have run too long. */
#include "policy/canary.h"

#include "policy_fixture.h"

#define WAIT CANARY_WAIT_NS

static void test_figures_that_go_back_are_nobodys(void)
{
	struct canary_watch watch = CANARY_WATCH_INIT;

	CHECK_INT(canary_consumed(&watch, 3, 900 * MS, false, T0), CANARY_ASK);
	CHECK_INT(canary_consumed(&watch, 3, 100 * MS, false, T0 + WAIT), CANARY_FINE);
	/* from there on it is looked at anew */
	CHECK_INT(canary_consumed(&watch, 3, 100 * MS + WAIT, false, T0 + 2 * WAIT),
	          CANARY_STARVES);
}

static void test_asked_again_when_it_ran(void)
{
	struct canary_watch watch = CANARY_WATCH_INIT;

	CHECK_INT(canary_consumed(&watch, 3, 0, false, T0), CANARY_ASK);
	CHECK_INT(canary_consumed(&watch, 3, 100 * MS, true, T0 + 100 * MS), CANARY_ASK);
	/* however late it is, and whoever ran meanwhile */
	CHECK_INT(canary_consumed(&watch, 3, 900 * MS, true, T0 + NSEC_PER_SEC), CANARY_ASK);
}

static void test_starves_behind_vcpus(void)
{
	struct canary_watch watch = CANARY_WATCH_INIT;

	canary_consumed(&watch, 3, 7 * MS, false, T0);
	for (uint64_t ms = 100; ms < 500; ms += 100)
		CHECK_INT(canary_consumed(&watch, 3, (7 + ms) * MS, false, T0 + ms * MS),
		          CANARY_FINE);
	CHECK_INT(canary_consumed(&watch, 3, 7 * MS + WAIT * 3 / 4, false, T0 + WAIT),
	          CANARY_STARVES);
	/* and is asked anew */
	CHECK_INT(canary_consumed(&watch, 3, 600 * MS, false, T0 + WAIT + MS), CANARY_ASK);
}

/* A thousand ordinary threads, and vCPUs that take half of the CPU, as they may: not our doing. */
static void test_overload_is_no_proof(void)
{
	struct canary_watch watch = CANARY_WATCH_INIT;
	uint64_t ms;

	canary_consumed(&watch, 0, 0, false, T0);
	for (ms = 100; ms <= 20000; ms += 100)
		CHECK_INT(canary_consumed(&watch, 0, ms * MS / 2, false, T0 + ms * MS),
		          CANARY_FINE);
	/* and when the vCPU takes all then, the time before does not hide it */
	for (; ms <= 21000; ms += 100)
		if (canary_consumed(&watch, 0, (ms - 10000) * MS, false, T0 + ms * MS) ==
		    CANARY_STARVES)
			return;
	CHECK(!"it starved for a second and nobody saw it");
}

/* There is one: while it waits on one CPU, the others are not watched, for a while. */
static void test_another_cpu(void)
{
	struct canary_watch watch = CANARY_WATCH_INIT;

	canary_consumed(&watch, 0, 0, false, T0);
	CHECK_INT(canary_consumed(&watch, 1, 400 * MS, false, T0 + WAIT - 1), CANARY_FINE);
	CHECK_INT(watch.cpu, 0);
	/* there it would have been found by now, had elevated time been consumed */
	CHECK_INT(canary_consumed(&watch, 1, 500 * MS, false, T0 + WAIT), CANARY_ASK);
	CHECK_INT(watch.cpu, 1);
}

static void test_only_debtors_are_lowered(void)
{
	struct policy *policy = make_armed();
	struct policy_facts facts = running(300 * US);

	CHECK_INT(step(policy, POLICY_EVENT_CANARY, facts, T0 + MS).action, POLICY_NOTHING);
	check_view(policy, POLICY_ARMED, POLICY_REASON_WITHIN);
	facts.full_at_ns = T0 + 2 * MS;
	CHECK_INT(step(policy, POLICY_EVENT_CANARY, facts, T0 + MS).action, POLICY_LOWER);
	check_view(policy, POLICY_THROTTLED, POLICY_REASON_CANARY);
	CHECK_U64(policy_next_ns(policy), T0 + MS + REFILL_NS);
	step(policy, POLICY_EVENT_HALTED, halted(), T0 + 2 * MS);
	check_view(policy, POLICY_BASE, POLICY_REASON_CANARY);
	policy_free(policy);
}

TEST_MAIN({"figures_that_go_back_are_nobodys", test_figures_that_go_back_are_nobodys},
          {"asked_again_when_it_ran", test_asked_again_when_it_ran},
          {"starves_behind_vcpus", test_starves_behind_vcpus},
          {"overload_is_no_proof", test_overload_is_no_proof}, {"another_cpu", test_another_cpu},
          {"only_debtors_are_lowered", test_only_debtors_are_lowered})
