/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The plan: what helpers have that follow the vCPUs of their domain. */
#include "plan_fixture.h"

static void begin_following(struct scene *s)
{
	begin(s);
	s->domains[0].configured.helpers = PROFILE_HELPERS_FOLLOW;
	s->input.n_vcpus = 2;
}

static void test_wanted(void)
{
	struct scene s;
	const struct follow_plan *follow = &s.planned_domains[0].follow;

	begin_following(&s);
	make(&s);
	CHECK(follow->wanted);
	CHECK_INT(follow->holds, 0);
	CHECK(follow->profile.of_helper);
	CHECK_INT(follow->profile.share_permille, FOLLOW_SHARE_PERMILLE);
	/* as a vCPU's: its share, and what it takes to end it in time */
	CHECK(follow->keeps_rt_budget);
	CHECK_INT(follow->rt_permille, FOLLOW_SHARE_PERMILLE + 50);
	begin_following(&s);
	s.domains[0].configured.helpers = PROFILE_HELPERS_OBSERVE;
	make(&s);
	CHECK(!follow->wanted);
	begin_following(&s);
	s.domains[0].configured.mode = PROFILE_OBSERVE;
	make(&s);
	CHECK(!follow->wanted);
	/* there is none of its vCPUs to follow */
	begin_following(&s);
	s.vcpus[0].proven = s.vcpus[1].proven = false;
	make(&s);
	CHECK(!follow->wanted);
}

/* What holds all of its vCPUs holds its helpers; what holds one of them does not. */
static void test_holds(void)
{
	struct scene s;
	const struct follow_plan *follow = &s.planned_domains[0].follow;

	begin_following(&s);
	s.vcpus[0].quota = true;
	make(&s);
	CHECK(follow->wanted);
	CHECK_INT(follow->holds, 0);
	CHECK(follow->rt_permille);
	s.vcpus[1].quota = true;
	make(&s);
	CHECK_INT(follow->holds, POLICY_HOLD(POLICY_REASON_QUOTA));
	CHECK_INT(follow->rt_permille, 0);
	begin_following(&s);
	s.domains[0].paused = true;
	make(&s);
	CHECK_INT(follow->holds, POLICY_HOLD(POLICY_REASON_PAUSED));
	begin_following(&s);
	s.domains[0].released = true;
	make(&s);
	CHECK_INT(follow->holds, POLICY_HOLD(POLICY_REASON_RELEASED));
	CHECK(!follow->keeps_rt_budget);
	/* a vCPU whose profile has no real-time class is never boosted, and no helper follows it */
	begin_following(&s);
	s.domains[0].configured.levers = PROFILE_LEVER_SLICE;
	make(&s);
	CHECK_INT(follow->holds, POLICY_HOLD(POLICY_REASON_LEVERS));
}

TEST_MAIN(TEST(test_wanted), TEST(test_holds))
