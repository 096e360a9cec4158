// SPDX-License-Identifier: GPL-2.0-or-later
/* Apply: slice and clamp are given before the booster has a thread, and taken back after it. */
#include "apply_scene.h"

#define US_100 (100 * NSEC_PER_USEC)

/* A slice is given before the booster has the thread, and taken back after it. */
static void test_slice(void)
{
	begin();
	see(domain_make(WEB, "web", 100, 1));
	plan_vcpus[0].slice_ns = US_100;
	run();
	CHECK_CALLS("domain 0", "grant /web/vcpu0 250", "give 0 101 100 0",
	            "add 0 101 boosts  resets-forks", "trace 0 101", "epoch 0");
	run();
	CHECK_CALLS("epoch 0");
	plan_all(&OFF, 0);
	run();
	CHECK_CALLS("remove 0", "take back 0", "untrace 0 101", "withdraw /web/vcpu0");
}

/* Another slice, and none: the vCPU is held meanwhile, since a boosted thread cannot be given one.
 */
static void test_slice_changes(void)
{
	begin_boosted();
	plan_vcpus[0].slice_ns = US_100;
	run();
	CHECK_CALLS("hold 0 +levers", "give 0 101 100 0", "set 0 boosts 200 resets-forks",
	            "hold 0 -levers", "epoch 0");
	plan_vcpus[0].slice_ns = 7 * US_100;
	run();
	CHECK_CALLS("hold 0 +levers", "take back 0", "give 0 101 700 0", "hold 0 -levers",
	            "epoch 0");
	plan_vcpus[0].slice_ns = 0;
	run();
	CHECK_CALLS("hold 0 +levers", "take back 0", "set 0 boosts 200", "hold 0 -levers",
	            "epoch 0");
	run();
	CHECK_CALLS("epoch 0");
}

/* A clamp comes and goes with its budget; that clamps are on now is said once. */
static void test_clamp(void)
{
	begin_boosted();
	plan_vcpus[0].slice_ns = US_100;
	plan_vcpus[0].util_min = 512;
	run();
	CHECK_CALLS("hold 0 +levers", "give 0 101 100 512", "set 0 boosts 200 resets-forks",
	            "hold 0 -levers", "epoch 0");
	CHECK_INT(n_logged, 1);
	plan_vcpus[0].util_min = 0;
	run();
	CHECK_CALLS("hold 0 +levers", "take back 0", "give 0 101 100 0", "hold 0 -levers",
	            "epoch 0");
	plan_vcpus[0].util_min = 512;
	run();
	CHECK_CALLS("hold 0 +levers", "take back 0", "give 0 101 100 512", "hold 0 -levers",
	            "epoch 0");
	CHECK_INT(n_logged, 1);
}

/* Where the plan has that hold itself, it stays. */
static void test_slice_alone(void)
{
	begin_boosted();
	plan_vcpus[0].slice_ns = US_100;
	plan_vcpus[0].holds = POLICY_HOLD(POLICY_REASON_LEVERS);
	run();
	CHECK_CALLS("hold 0 +levers", "give 0 101 100 0", "set 0 boosts 200 resets-forks",
	            "epoch 0");
}

/* Without a guardian none is given: the hold comes first; and it is given anew before that ends. */
static void test_slice_without_guardian(void)
{
	struct inventory_domain *d = begin_boosted();

	plan_vcpus[0].slice_ns = US_100;
	run();
	n_calls = 0;
	plan.holds = POLICY_HOLD(POLICY_REASON_GUARDIAN);
	plan_vcpus[0].slice_ns = 0;
	run();
	CHECK_CALLS("hold-all guardian", "take back 0", "set 0 boosts 200", "epoch 0");
	plan.holds = 0;
	plan_vcpus[0].slice_ns = US_100;
	d->rescan = true;
	run();
	CHECK_CALLS("give 0 101 100 0", "set 0 boosts 200 resets-forks", "epoch 0", "hold-all ",
	            "rescan 0");
}

/* The thread has a slice of its own, or another program changed ours: tried again at a rescan. */
static void test_slice_of_others(void)
{
	struct inventory_domain *d = begin_boosted();

	plan_vcpus[0].slice_ns = US_100;
	answer_give = STANDING_OWN;
	run();
	CHECK_CALLS("hold 0 +levers", "give 0 101 100 0", "hold 0 -levers", "epoch 0");
	CHECK_INT(n_logged, 1);
	run();
	CHECK_CALLS("epoch 0");
	answer_give = STANDING_GIVEN;
	d->rescan = true;
	run();
	CHECK_CALLS("epoch 0", "hold 0 +levers", "give 0 101 100 0",
	            "set 0 boosts 200 resets-forks", "hold 0 -levers", "rescan 0");
	d->rescan = true;
	run();
	CHECK_CALLS("epoch 0", "rescan 0");
	answer_short = true; /* by another program */
	d->rescan = true;
	run();
	CHECK_CALLS("epoch 0", "hold 0 +levers", "take back 0", "give 0 101 100 0",
	            "hold 0 -levers", "rescan 0");
}

/* It can't be taken back: the slot is not used again, and each pass tries again. */
static void test_slice_stuck(void)
{
	struct inventory_domain *d = begin_boosted();

	plan_vcpus[0].slice_ns = US_100;
	run();
	n_calls = 0;
	answer_take_back = -EBUSY;
	inventory_drop(&inventory, d);
	run();
	CHECK_CALLS("remove 0", "take back 0");
	CHECK_INT(n_logged, 1);
	see(domain_make(DB, "db", 200, 1));
	answer_take_back = 0;
	run();
	CHECK_CALLS("remove 0", "take back 0", "untrace 0 101", "withdraw /web/vcpu0", "domain 0",
	            "grant /db/vcpu0 250", "give 0 201 100 0", "add 0 201 boosts  resets-forks",
	            "trace 0 201", "epoch 0");
}

/* A thread that the booster does not take on keeps nothing. */
static void test_slice_not_taken_on(void)
{
	begin();
	see(domain_make(WEB, "web", 100, 1));
	plan_vcpus[0].slice_ns = US_100;
	answer_add = ACTUATOR_GONE;
	run();
	CHECK_CALLS("domain 0", "grant /web/vcpu0 250", "give 0 101 100 0",
	            "add 0 101 boosts  resets-forks", "withdraw /web/vcpu0", "take back 0");
	/* and where it can't be taken back, the slot is not used again before it is */
	answer_take_back = -EBUSY;
	run();
	CHECK_CALLS("grant /web/vcpu0 250", "give 0 101 100 0", "add 0 101 boosts  resets-forks",
	            "withdraw /web/vcpu0", "take back 0");
	CHECK_INT(n_logged, 1);
	answer_take_back = 0;
	answer_add = 0;
	run();
	CHECK_CALLS("remove 0", "take back 0", "untrace 0 101", "grant /web/vcpu0 250",
	            "give 0 101 100 0", "add 0 101 boosts  resets-forks", "trace 0 101", "epoch 0");
}

TEST_MAIN(TEST(test_slice), TEST(test_slice_changes), TEST(test_clamp), TEST(test_slice_alone),
          TEST(test_slice_without_guardian), TEST(test_slice_of_others), TEST(test_slice_stuck),
          TEST(test_slice_not_taken_on))
