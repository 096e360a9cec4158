// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Apply: that the order of calls is the safe one in every transition, and that what is done already
 * is not done again. Booster, tracer and RT budgets only write down that they were called.
 */
#include "apply_scene.h"

/* A vCPU that comes: its budget, then the booster with its holds, then the tracer. */
static void test_vcpu_begins(void)
{
	struct inventory_domain *d;

	begin();
	d = see(domain_make(WEB, "web", 100, 1));
	plan_vcpus[0].holds = POLICY_HOLD(POLICY_REASON_PAUSED);
	run();
	CHECK_CALLS("domain 0", "grant /web/vcpu0 250", "add 0 101 boosts paused", "trace 0 101",
	            "epoch 0");
	CHECK_INT(d->vcpus[0].slot, 0);
	CHECK_STR(apply_profile(apply, 0)->name, "boosts");
	plan_vcpus[0].holds = 0;
	run();
	CHECK_CALLS("epoch 0", "hold 0 -paused");
}

/* What is as it shall be costs no call, but for the proof of identity, which may have ended. */
static void test_nothing_changes(void)
{
	begin_boosted();
	run();
	CHECK_CALLS("epoch 0");
	plan_all(&OBSERVES, 0);
	run();
	n_calls = 0;
	run();
	CHECK_NO_CALLS();
}

/* Switched off: the hold first, the budget last. */
static void test_off(void)
{
	begin_boosted();
	plan.holds = POLICY_HOLD(POLICY_REASON_DISABLED);
	plan_vcpus[0].keeps_rt_budget = false;
	plan_vcpus[0].rt_permille = 0;
	run();
	CHECK_CALLS("hold-all disabled", "epoch 0", "withdraw /web/vcpu0");
	CHECK_INT(apply_holds(apply), POLICY_HOLD(POLICY_REASON_DISABLED));
}

/* Switched on: the budget first, then the hold ends, then what was refused is tried again. */
static void test_on(void)
{
	struct inventory_domain *d = begin_boosted();

	plan.holds = POLICY_HOLD(POLICY_REASON_DISABLED);
	plan_vcpus[0].keeps_rt_budget = false;
	plan_vcpus[0].rt_permille = 0;
	run();
	n_calls = 0;
	plan.holds = 0;
	plan_all(&BOOSTS, 0);
	d->rescan = true;
	run();
	CHECK_CALLS("grant /web/vcpu0 250", "epoch 0", "hold-all ", "rescan 0");
	CHECK(!d->rescan);
}

/* Of two holds of every vCPU, one ends and one begins: at no time is there none. */
static void test_holds_overlap(void)
{
	begin_boosted();
	plan.holds = POLICY_HOLD(POLICY_REASON_GUARDIAN);
	run();
	CHECK_CALLS("hold-all guardian", "epoch 0");
	plan.holds = POLICY_HOLD(POLICY_REASON_BREAKER);
	run();
	CHECK_CALLS("hold-all breaker,guardian", "epoch 0", "hold-all breaker");
}

/* The same for the holds of one vCPU. */
static void test_holds_of_a_vcpu_overlap(void)
{
	begin_boosted();
	plan_vcpus[0].holds = POLICY_HOLD(POLICY_REASON_PAUSED);
	run();
	CHECK_CALLS("hold 0 +paused", "epoch 0");
	plan_vcpus[0].holds = POLICY_HOLD(POLICY_REASON_QUOTA);
	run();
	CHECK_CALLS("hold 0 +quota", "epoch 0", "hold 0 -paused");
}

/* A profile that boosts: budget, profile, rescan. One that does not: profile, then the budget. */
static void test_profile_changes(void)
{
	begin();
	see(domain_make(WEB, "web", 100, 1));
	plan_all(&OBSERVES, 0);
	run();
	CHECK_CALLS("domain 0", "add 0 101 observes ", "trace 0 101");
	plan_all(&BOOSTS, 0);
	run();
	CHECK_CALLS("grant /web/vcpu0 250", "set 0 boosts 200", "epoch 0", "rescan 0");
	plan_all(&OBSERVES, 0);
	run();
	CHECK_CALLS("set 0 observes 200", "rescan 0", "withdraw /web/vcpu0");
}

/* A larger share needs a larger budget before; a smaller one keeps what it has. */
static void test_share_changes(void)
{
	begin_boosted();
	plan_vcpus[0].profile.share_permille = 300;
	plan_vcpus[0].rt_permille = 350;
	run();
	CHECK_CALLS("grant /web/vcpu0 350", "set 0 boosts 300", "epoch 0", "rescan 0");
	plan_vcpus[0].profile.share_permille = 100;
	plan_vcpus[0].rt_permille = 150;
	run();
	CHECK_CALLS("set 0 boosts 100", "epoch 0", "rescan 0");
}

/* Not to be traced any more: unboosted, then not traced, then no budget; the slot is free. */
static void test_profile_off(void)
{
	struct inventory_domain *d = begin_boosted();

	plan_all(&OFF, 0);
	run();
	CHECK_CALLS("remove 0", "untrace 0 101", "withdraw /web/vcpu0");
	CHECK_INT(d->vcpus[0].slot, SLOT_NONE);
	CHECK(!apply_profile(apply, 0));
	plan_all(&BOOSTS, 0);
	run();
	CHECK_INT(d->vcpus[0].slot, 0);
}

/* A vCPU is unplugged while another one is plugged in: the end comes before the beginning. */
static void test_vcpu_gone_and_added(void)
{
	struct domain *domain = domain_make(WEB, "web", 100, 2);

	begin_boosted();
	domain->vcpus[0].id.tid = 999; /* another thread is vCPU 0, in the same cgroup */
	see(domain);
	run();
	CHECK_CALLS("remove 0", "untrace 0 101", "withdraw /web/vcpu0", "grant /web/vcpu0 250",
	            "grant /web/vcpu1 250", "add 0 999 boosts ", "trace 0 999", "add 1 102 boosts ",
	            "trace 1 102", "epoch 0", "epoch 1");
}

/* A domain that is gone ends wholly; its helpers after its vCPUs, since they prove the identity of
 * these. */
static void test_domain_gone(void)
{
	struct domain *domain = domain_make(WEB, "web", 100, 1);
	struct inventory_domain *d;

	begin();
	domain->n_helpers = 1;
	domain->helpers = calloc(1, sizeof(*domain->helpers));
	domain->helpers[0] = (struct helper_thread){domain->qemu, HELPER_EMULATOR};
	d = see(domain);
	run();
	CHECK_CALLS("domain 0", "grant /web/vcpu0 250", "add 0 101 boosts ", "trace 0 101",
	            "helper 0 100", "leader 0", "epoch 0");
	inventory_drop(&inventory, d);
	run();
	CHECK_CALLS("remove 0", "untrace 0 101", "withdraw /web/vcpu0", "unhelper 0");
}

/* QEMU restarted, in the same slot and cgroups: the old one ends, and its account is cleared. */
static void test_restarted(void)
{
	begin_boosted();
	see(domain_make(WEB, "web", 200, 1));
	run();
	CHECK_CALLS("remove 0", "untrace 0 101", "withdraw /web/vcpu0", "domain 0",
	            "grant /web/vcpu0 250", "add 0 201 boosts ", "trace 0 201", "epoch 0");
}

/* In another cgroup now: the old one has nothing any more, the new one has what is needed. */
static void test_cgroup_moved(void)
{
	struct domain *domain = domain_make(WEB, "web", 100, 1);

	begin_boosted();
	strcpy(domain->vcpus[0].cgroup, "/elsewhere");
	see(domain);
	run();
	CHECK_CALLS("withdraw /web/vcpu0", "grant /elsewhere 250", "epoch 0", "rescan 0");
}

/* Two vCPUs of one cgroup: it keeps its budget until the last one ends. */
static void test_shared_cgroup(void)
{
	struct domain *domain = domain_make(WEB, "web", 100, 2);

	begin();
	strcpy(domain->vcpus[1].cgroup, domain->vcpus[0].cgroup);
	see(domain);
	run();
	n_calls = 0;
	plan_vcpus[1].traced = false;
	run();
	CHECK_CALLS("remove 1", "untrace 1 102", "epoch 0");
	plan_vcpus[0].traced = false;
	run();
	CHECK_CALLS("remove 0", "untrace 0 101", "withdraw /web/vcpu0");
}

/* A guardian gave everything back: budgets are granted anew before its hold ends. */
static void test_guardian_back(void)
{
	struct inventory_domain *d = begin_boosted();

	plan.holds = POLICY_HOLD(POLICY_REASON_GUARDIAN);
	run();
	CHECK_CALLS("hold-all guardian", "epoch 0");
	rt_grants_forget_all(grants);
	d->rescan = true;
	plan.holds = 0;
	run();
	CHECK_CALLS("grant /web/vcpu0 250", "epoch 0", "hold-all ", "rescan 0");
}

/* A page is given once, again when it is read otherwise, and taken away before it is freed. */
static void test_pages(void)
{
	struct apply_wanted wanted = {.inventory = &inventory, .plan = &plan, .polls_pages = true};

	begin_boosted();
	plan_vcpus[0].page_generation = 7;
	plan.holds = 0;
	run();
	CHECK_CALLS("epoch 0", "page 0 given");
	run();
	CHECK_CALLS("epoch 0");
	apply_run(apply, &wanted);
	CHECK_CALLS("epoch 0", "page 0 given polled");
	plan_vcpus[0].page_generation = 0;
	run();
	CHECK_CALLS("epoch 0", "page 0 none");
}

/* Pages come before holds end, so that a guest is heard from its first boost on. */
static void test_pages_before_holds_end(void)
{
	begin_boosted();
	plan_vcpus[0].holds = POLICY_HOLD(POLICY_REASON_PAUSED);
	run();
	n_calls = 0;
	plan_vcpus[0].holds = 0;
	plan_vcpus[0].page_generation = 7;
	run();
	CHECK_CALLS("epoch 0", "page 0 given", "hold 0 -paused");
}

/* The kernel refuses a budget: said, the vCPU begins all the same, and it is tried again. */
static void test_grant_refused(void)
{
	begin();
	see(domain_make(WEB, "web", 100, 1));
	answer_grant = -EINVAL;
	run();
	CHECK_CALLS("domain 0", "grant /web/vcpu0 250", "add 0 101 boosts ", "trace 0 101",
	            "epoch 0");
	CHECK_INT(n_logged, 1);
	answer_grant = RT_BUDGET_NOT_NEEDED;
	run();
	CHECK_CALLS("grant /web/vcpu0 250", "epoch 0");
	CHECK_INT(n_logged, 1);
}

/* A thread that is gone, or can't be taken on: the budget goes, the slot is free. */
static void test_not_taken_on(void)
{
	struct inventory_domain *d;

	begin();
	d = see(domain_make(WEB, "web", 100, 1));
	answer_add = ACTUATOR_GONE;
	run();
	CHECK_CALLS("domain 0", "grant /web/vcpu0 250", "add 0 101 boosts ", "withdraw /web/vcpu0");
	CHECK_INT(d->vcpus[0].slot, SLOT_NONE);
	CHECK_INT(n_logged, 0);
}

/* One that can't be traced is not boosted: the booster lets go of it at once. */
static void test_not_traced(void)
{
	struct inventory_domain *d;

	begin();
	d = see(domain_make(WEB, "web", 100, 1));
	answer_register = -ENOMEM;
	run();
	CHECK_CALLS("domain 0", "grant /web/vcpu0 250", "add 0 101 boosts ", "trace 0 101",
	            "remove 0", "withdraw /web/vcpu0");
	CHECK_INT(d->vcpus[0].slot, SLOT_NONE);
	CHECK_INT(n_logged, 1);
	/* tried again in each pass, and logged once */
	run();
	CHECK_CALLS("grant /web/vcpu0 250", "add 0 101 boosts ", "trace 0 101", "remove 0",
	            "withdraw /web/vcpu0");
	CHECK_INT(n_logged, 1);
}

/*
 * A vCPU that can't be unboosted stays traced and keeps its budget. Its slot is not used again, and
 * its TID gets no other slot, which would take its charges; each pass tries to end it.
 */
static void test_not_removed(void)
{
	struct inventory_domain *d = begin_boosted();

	inventory_drop(&inventory, d);
	answer_remove = -EBUSY;
	run();
	CHECK_CALLS("remove 0");
	CHECK_INT(n_logged, 1);
	d = see(domain_make(DB, "db", 200, 1));
	run();
	CHECK_INT(d->vcpus[0].slot, 1);
}

static void test_stuck_thread_is_not_begun_again(void)
{
	struct inventory_domain *d = begin_boosted();

	inventory_drop(&inventory, d);
	answer_remove = -EBUSY;
	run();
	d = see(domain_make(WEB, "web", 100, 1)); /* the same thread, found again */
	n_calls = 0;
	run();
	CHECK_CALLS("remove 0", "domain 0");
	CHECK_INT(d->vcpus[0].slot, SLOT_NONE);
	CHECK_INT(n_logged, 1);
	answer_remove = 0;
	run();
	CHECK_CALLS("remove 0", "untrace 0 101", "withdraw /web/vcpu0", "grant /web/vcpu0 250",
	            "add 0 101 boosts ", "trace 0 101", "epoch 0");
	CHECK_INT(d->vcpus[0].slot, 0);
}

/* Holds of the host begin without a plan, and end with a plan only. */
static void test_hold_without_a_plan(void)
{
	begin_boosted();
	apply_hold(apply, POLICY_HOLD(POLICY_REASON_GUARDIAN));
	CHECK_CALLS("hold-all guardian");
	apply_hold(apply, POLICY_HOLD(POLICY_REASON_GUARDIAN));
	CHECK_INT(n_calls, 0);
	run();
	CHECK_CALLS("epoch 0", "hold-all ");
}

TEST_MAIN(TEST(test_vcpu_begins), TEST(test_nothing_changes), TEST(test_off), TEST(test_on),
          TEST(test_holds_overlap), TEST(test_holds_of_a_vcpu_overlap), TEST(test_profile_changes),
          TEST(test_share_changes), TEST(test_profile_off), TEST(test_vcpu_gone_and_added),
          TEST(test_domain_gone), TEST(test_restarted), TEST(test_cgroup_moved),
          TEST(test_shared_cgroup), TEST(test_guardian_back), TEST(test_pages),
          TEST(test_pages_before_holds_end), TEST(test_grant_refused), TEST(test_not_taken_on),
          TEST(test_not_traced), TEST(test_not_removed), TEST(test_stuck_thread_is_not_begun_again),
          TEST(test_hold_without_a_plan))
