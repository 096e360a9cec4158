/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which helpers follow, and in which order that begins and ends. All else is a stand-in. */
#include "apply_scene.h"

#define PAUSED POLICY_HOLD(POLICY_REASON_PAUSED)

/*
 * A domain of QEMU 100 with a vCPU, 101, in slot 0, and the helpers 100 (its first thread), 110 and
 * up.
 */
static struct inventory_domain *begin_helpers(size_t n, enum helper_role role)
{
	struct inventory_domain *d;

	begin();
	d = see(domain_make_helpers(WEB, n, role));
	for (size_t i = 0; i < ARRAY_SIZE(plan_domains); i++)
		plan_domains[i].follow = (struct follow_plan){
		        .wanted = true,
		        .profile = {"small", PROFILE_BOOST, 100, 300000},
		        .keeps_rt_budget = true,
		        .rt_permille = 150,
		};
	return d;
}

/* After the vCPUs, once it is watched; by the booster first, then by the tracer. */
static void test_begins(void)
{
	struct inventory_domain *d = begin_helpers(2, HELPER_IOTHREAD);

	run();
	CHECK_CALLS("domain 0", "grant /web/vcpu0 250", "add 0 101 boosts ", "trace 0 101",
	            "helper 0 100", "leader 0", "helper 1 110", "epoch 0",
	            "grant /group-of-110 150", "add 1 110 small ", "follow 1 1 110", "epoch 1");
	CHECK_INT(followers_slot(followers, d, &d->seen->helpers[1].id), 1);
	CHECK_INT(followers_slot(followers, d, &d->seen->helpers[0].id), SLOT_NONE);
	run();
	CHECK_CALLS("epoch 0", "epoch 1");
}

/* QEMU's first thread and its others never do, nor those whose profile does not say so. */
static void test_which(void)
{
	struct inventory_domain *d = begin_helpers(2, HELPER_EMULATOR);

	run();
	n_calls = 0;
	CHECK_INT(followers_slot(followers, d, &d->seen->helpers[0].id), SLOT_NONE);
	CHECK_INT(followers_slot(followers, d, &d->seen->helpers[1].id), SLOT_NONE);
	d = begin_helpers(3, HELPER_VHOST);
	plan_domains[0].follow.wanted = false;
	run();
	n_calls = 0;
	CHECK_INT(followers_slot(followers, d, &d->seen->helpers[1].id), SLOT_NONE);
	plan_domains[0].follow.wanted = true;
	run();
	n_calls = 0;
	CHECK_INT(followers_slot(followers, d, &d->seen->helpers[1].id), 1);
	CHECK_INT(followers_slot(followers, d, &d->seen->helpers[2].id), 2);
}

/* Unboosted before it is traced no longer, before its budget goes; before it is watched no longer.
 */
static void test_ends(void)
{
	struct inventory_domain *d = begin_helpers(2, HELPER_IOTHREAD);

	run();
	n_calls = 0;
	plan_domains[0].follow.wanted = false;
	run();
	CHECK_CALLS("remove 1", "unfollow 1 1 110", "withdraw /group-of-110", "epoch 0");
	plan_domains[0].follow.wanted = true;
	run();
	n_calls = 0;
	/* the thread is gone */
	d->seen->n_helpers = 1;
	run();
	CHECK_CALLS("remove 1", "unfollow 1 1 110", "withdraw /group-of-110", "unhelper 1",
	            "epoch 0");
	/* the domain is gone */
	d->seen->n_helpers = 2;
	run();
	n_calls = 0;
	inventory_drop(&inventory, d);
	run();
	CHECK_CALLS("remove 1", "unfollow 1 1 110", "withdraw /group-of-110", "remove 0",
	            "untrace 0 101", "withdraw /web/vcpu0", "unhelper 0", "unhelper 1");
}

/* Holds begin before all else, and end after it. */
static void test_holds(void)
{
	begin_helpers(2, HELPER_IOTHREAD);
	run();
	n_calls = 0;
	plan_all(&BOOSTS, PAUSED);
	plan_domains[0].follow.holds = PAUSED;
	run();
	CHECK_CALLS("hold 0 +paused", "hold 1 +paused", "epoch 0", "epoch 1");
	plan_all(&BOOSTS, 0);
	plan_domains[0].follow.holds = 0;
	run();
	CHECK_CALLS("epoch 0", "epoch 1", "hold 1 -paused", "hold 0 -paused");
	/* released: its budget goes, once it is held */
	plan_domains[0].follow.holds = PAUSED;
	plan_domains[0].follow.keeps_rt_budget = false;
	plan_domains[0].follow.rt_permille = 0;
	run();
	CHECK_CALLS("hold 1 +paused", "withdraw /group-of-110", "epoch 0", "epoch 1");
}

static void test_changes(void)
{
	struct inventory_domain *d = begin_helpers(2, HELPER_IOTHREAD);

	run();
	n_calls = 0;
	plan_domains[0].follow.profile.share_permille = 50;
	d->rescan = true;
	run();
	CHECK_CALLS("epoch 0", "set 1 small 50", "epoch 1", "rescan 1", "rescan 0");
}

/* One that cannot be given back stays in its slot and is traced there; each pass tries again. */
static void test_stuck(void)
{
	begin_helpers(2, HELPER_IOTHREAD);
	run();
	n_calls = n_logged = 0;
	plan_domains[0].follow.wanted = false;
	answer_remove = -EBUSY;
	run();
	CHECK_CALLS("remove 1", "epoch 0");
	run();
	CHECK_CALLS("remove 1", "epoch 0");
	CHECK_INT(n_logged, 1);
	answer_remove = 0;
	run();
	CHECK_CALLS("remove 1", "unfollow 1 1 110", "withdraw /group-of-110", "epoch 0");
}

/* What the booster does not take on keeps neither slot nor budget. */
static void test_refused(void)
{
	struct inventory_domain *d = begin_helpers(2, HELPER_IOTHREAD);

	plan_domains[0].follow.wanted = false;
	run();
	n_calls = 0;
	plan_domains[0].follow.wanted = true;
	answer_add = -EMFILE;
	run();
	CHECK_CALLS("epoch 0", "grant /group-of-110 150", "add 1 110 small ",
	            "withdraw /group-of-110");
	answer_add = 0;
	answer_register = -ENOMEM;
	run();
	CHECK_CALLS("epoch 0", "grant /group-of-110 150", "add 1 110 small ", "follow 1 1 110",
	            "remove 1", "withdraw /group-of-110");
	CHECK_INT(followers_slot(followers, d, &d->seen->helpers[1].id), SLOT_NONE);
	/* no room for its budget: said once; it follows, and the kernel has the last word */
	answer_register = 0;
	answer_grant = -EINVAL;
	n_logged = 0;
	run();
	CHECK_CALLS("epoch 0", "grant /group-of-110 150", "add 1 110 small ", "follow 1 1 110",
	            "epoch 1");
	run();
	CHECK_CALLS("epoch 0", "grant /group-of-110 150", "epoch 1");
	CHECK_INT(n_logged, 1);
}

/* A QEMU with any number of iothreads takes few slots. */
static void test_bound(void)
{
	struct inventory_domain *d = begin_helpers(32, HELPER_IOTHREAD);
	size_t n = 0;

	run();
	n_calls = 0;
	for (size_t i = 0; i < d->seen->n_helpers; i++)
		n += followers_slot(followers, d, &d->seen->helpers[i].id) != SLOT_NONE;
	CHECK_INT(n, 16);
}

/* What the booster notes of one. */
static void test_notes(void)
{
	struct inventory_domain *d = begin_helpers(2, HELPER_IOTHREAD);
	struct booster_note note = {BOOSTER_NOTE_GONE, 1, 0};

	run();
	n_calls = n_logged = 0;
	CHECK(followers_note(followers, &note, &inventory, NULL) == d);
	note.slot = 0; /* a vCPU's */
	CHECK(!followers_note(followers, &note, &inventory, NULL));
	note = (struct booster_note){BOOSTER_NOTE_FORK, 1, 120};
	CHECK(!followers_note(followers, &note, &inventory, NULL));
	CHECK_CALLS("mend 1 110 120");
	for (int i = 0; i < 2; i++) {
		note = (struct booster_note){BOOSTER_NOTE_REFUSED, 1, 0};
		CHECK(!followers_note(followers, &note, &inventory, NULL));
		CHECK_INT(n_logged, 1);
	}
	for (int i = 0; i < 2; i++) {
		note = (struct booster_note){BOOSTER_NOTE_FOREIGN, 1, 0};
		CHECK(!followers_note(followers, &note, &inventory, NULL));
		CHECK_INT(n_logged, 2);
	}
	note = (struct booster_note){BOOSTER_NOTE_FAILED, 1, -EIO};
	CHECK(!followers_note(followers, &note, &inventory, NULL));
	CHECK_INT(n_logged, 3);
}

TEST_MAIN(TEST(test_begins), TEST(test_which), TEST(test_ends), TEST(test_holds),
          TEST(test_changes), TEST(test_stuck), TEST(test_refused), TEST(test_bound),
          TEST(test_notes))
