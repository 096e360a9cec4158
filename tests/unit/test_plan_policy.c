/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The plan: which policy of the registry a domain has, and when two profiles are the same. */
#include "plan_fixture.h"

/* A policy is assigned to a domain, whatever chooses its profile. */
static void test_assigned_policy(void)
{
	static const struct {
		uint32_t configured, persistent, command, policy;
	} table[] = {{0, 0, 0, 0}, {1, 0, 0, 1}, {1, 2, 0, 2}, {1, 2, 3, 3}, {0, 0, 3, 3}};

	for (size_t i = 0; i < 2 * ARRAY_SIZE(table); i++) {
		const size_t row = i / 2;
		struct scene s;

		begin(&s);
		s.domains[0].configured.policy = table[row].configured;
		s.domains[0].persistent.policy = table[row].persistent;
		s.domains[0].command.policy = table[row].command;
		if (i % 2) { /* a command sets a profile, too: of that, the policy does not count */
			s.domains[0].command.profile = &OTHER;
			s.domains[0].configured.policy = 7;
		}
		make(&s);
		CHECK_INT(s.planned_domains[0].origin, i % 2 ? PLAN_BY_COMMAND : PLAN_BY_ENTRY);
		CHECK_INT(s.planned_vcpus[0].profile.policy,
		          table[row].command || table[row].persistent ? table[row].policy
		          : i % 2                                     ? OTHER.policy
		                                                      : table[row].configured);
		CHECK_INT(s.planned_domains[0].policy_by_command, table[row].command != 0);
		CHECK_INT(s.planned_domains[0].policy_persists,
		          !table[row].command && table[row].persistent);
	}
}

/* Two profiles are equal by what they say, whatever stands behind the name and between members. */
static void test_profile_equal(void)
{
	struct profile a, b;

	memset(&a, 0x55, sizeof(a));
	memset(&b, 0xaa, sizeof(b));
	strcpy(a.name, "x");
	strcpy(b.name, "x");
	a.mode = b.mode = PROFILE_BOOST;
	a.share_permille = b.share_permille = 100;
	a.burst_ns = b.burst_ns = 1000;
	a.requests = b.requests = PROFILE_REQUESTS_HEED;
	a.on_interrupt = b.on_interrupt = true;
	a.levers = b.levers = PROFILE_LEVERS_INIT;
	a.slice_ns = b.slice_ns = PROFILE_SLICE_NS_INIT;
	a.util_min = b.util_min = 512;
	a.util_permille = b.util_permille = 200;
	a.learned = b.learned = false;
	a.policy = b.policy = 1;
	a.help = b.help = PROFILE_HELP_IPI;
	a.helpers = b.helpers = PROFILE_HELPERS_OBSERVE;
	a.of_helper = b.of_helper = false;
	CHECK(profile_equal(&a, &b));
	b.share_permille++;
	CHECK(!profile_equal(&a, &b));
	b = a;
	b.on_interrupt = false;
	CHECK(!profile_equal(&a, &b));
	b = a;
	b.levers = PROFILE_LEVER_RT;
	CHECK(!profile_equal(&a, &b));
	b = a;
	b.slice_ns++;
	CHECK(!profile_equal(&a, &b));
	b = a;
	b.util_min++;
	CHECK(!profile_equal(&a, &b));
	b = a;
	b.util_permille++;
	CHECK(!profile_equal(&a, &b));
	b = a;
	b.learned = true;
	CHECK(!profile_equal(&a, &b));
	b = a;
	b.policy = 2;
	CHECK(!profile_equal(&a, &b));
	b = a;
	b.help = 0;
	CHECK(!profile_equal(&a, &b));
	b = a;
	b.helpers = PROFILE_HELPERS_FOLLOW;
	CHECK(!profile_equal(&a, &b));
	b = a;
	b.of_helper = true;
	CHECK(!profile_equal(&a, &b));
	b = a;
	b.name[0] = 'y';
	CHECK(!profile_equal(&a, &b));
}

TEST_MAIN(TEST(test_assigned_policy), TEST(test_profile_equal))
