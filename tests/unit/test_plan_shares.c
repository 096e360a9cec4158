// SPDX-License-Identifier: GPL-2.0-or-later
/* The plan, by tables: what domains may claim of CPUs, RT budgets and slots. */
#include "plan_fixture.h"

/* Two vCPUs confined to one CPU share what it may promise; one beside them keeps its own. */
static void test_admission_scales_alike(void)
{
	struct scene s;

	begin(&s);
	s.input.n_vcpus = 3;
	s.input.host.cpu_share_permille = 300;
	s.vcpus[0].cpus = s.vcpus[1].cpus = cpu_0;
	s.vcpus[2].cpus = cpu_1;
	make(&s);
	CHECK_INT(s.planned_vcpus[0].profile.share_permille, 150);
	CHECK_INT(s.planned_vcpus[1].profile.share_permille, 150);
	CHECK_INT(s.planned_vcpus[2].profile.share_permille, 200);
	CHECK_INT(s.planned_domains[0].profile.share_permille, 200);
}

/* What only observes, is off or has another domain's profile does not take shares from others. */
static void test_admission_counts_boosts_alone(void)
{
	struct scene s;

	begin(&s);
	s.input.n_domains = 2;
	s.input.n_vcpus = 2;
	s.input.host.cpu_share_permille = 200;
	s.vcpus[0].cpus = s.vcpus[1].cpus = cpu_0;
	s.vcpus[1].domain = 1;
	s.domains[1].configured = OBSERVES;
	make(&s);
	CHECK_INT(s.planned_vcpus[0].profile.share_permille, 200);
	CHECK_INT(s.planned_vcpus[1].profile.share_permille, 200);
}

/* A share too small to be worth a real-time class is held, and has no RT budget. */
static void test_admission_holds_what_is_too_small(void)
{
	struct scene s;

	begin(&s);
	s.input.n_vcpus = VCPUS;
	s.input.host.cpu_share_permille = 39;
	for (size_t i = 0; i < VCPUS; i++)
		s.vcpus[i].cpus = cpu_0;
	make(&s);
	CHECK_INT(s.planned_vcpus[0].profile.share_permille, 9);
	CHECK_INT(s.planned_vcpus[0].holds, POLICY_HOLD(POLICY_REASON_ADMISSION));
	CHECK(!s.planned_vcpus[0].keeps_rt_budget);
	s.input.host.cpu_share_permille = 40;
	make(&s);
	CHECK_INT(s.planned_vcpus[0].holds, 0);
}

/* What can't be boosted now claims nothing: the other vCPU of the CPU has all of its share. */
static void test_admission_counts_what_may_be_boosted(void)
{
	void (*const changes[])(struct scene * s) = {with_quota, with_pause, with_release,
	                                             without_proof, with_housekeeping};

	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		struct scene s;

		begin(&s);
		s.input.n_domains = s.input.n_vcpus = 2;
		s.input.host.cpu_share_permille = 200;
		s.vcpus[0].cpus = cpu_0;
		s.vcpus[1].cpus = cpu_0;
		s.vcpus[1].domain = 1;
		make(&s);
		CHECK_INT(s.planned_vcpus[1].profile.share_permille, 100);
		changes[i](&s);
		if (changes[i] == with_housekeeping) {
			s.input.host.housekeeping = cpu_0;
			s.vcpus[1].cpus = two_cpus;
		}
		make(&s);
		CHECK(s.planned_vcpus[0].holds);
		CHECK_INT(s.planned_vcpus[1].profile.share_permille, 200);
		CHECK_INT(s.planned_vcpus[1].holds, 0);
	}
}

/* However many vCPUs a domain has, it claims no more than its own share. */
static void test_a_domain_claims_its_share(void)
{
	struct scene s;

	begin(&s);
	s.input.n_domains = 2;
	s.input.n_vcpus = VCPUS;
	s.input.host.domain_share_permille = 300;
	s.vcpus[VCPUS - 1].domain = 1;
	s.input.host.cpu_share_permille = 250; /* 500 of two CPUs: 300 and 200 */
	make(&s);
	for (unsigned int i = 0; i < VCPUS; i++)
		CHECK_INT(s.planned_vcpus[i].profile.share_permille, 200);
	CHECK_INT(s.planned_domains[0].rule.share_permille, 300);
	CHECK_INT(s.planned_domains[1].rule.share_permille, 300);
	CHECK_U64(s.planned_domains[1].rule.burst_ns, 7);
	s.input.host.cpu_share_permille = 125; /* half of it: each has half */
	make(&s);
	for (unsigned int i = 0; i < VCPUS; i++)
		CHECK_INT(s.planned_vcpus[i].profile.share_permille, 100);
	CHECK_INT(s.planned_domains[0].rule.share_permille, 150);
	CHECK_INT(s.planned_domains[1].rule.share_permille, 300); /* its one vCPU has less */
}

/* A budget is the share and a margin, where one may be granted; holds that come and go keep it. */
static void test_rt_budgets(void)
{
	struct scene s;

	begin(&s);
	make(&s);
	CHECK_INT(s.planned_vcpus[0].rt_permille, 250);
	CHECK(s.planned_vcpus[0].keeps_rt_budget);
	s.domains[0].paused = true; /* it claims nothing, and keeps what it has */
	make(&s);
	CHECK_INT(s.planned_vcpus[0].rt_permille, 0);
	CHECK(s.planned_vcpus[0].keeps_rt_budget);
	begin(&s);
	s.input.host.switches.guarded = false;
	make(&s);
	CHECK_INT(s.planned_vcpus[0].rt_permille, 250);
	begin(&s);
	s.vcpus[0].has_group = false;
	make(&s);
	CHECK_INT(s.planned_vcpus[0].rt_permille, 0);
	begin(&s);
	s.vcpus[0].proven = false;
	make(&s);
	CHECK_INT(s.planned_vcpus[0].rt_permille, 0);
	CHECK(s.planned_vcpus[0].keeps_rt_budget); /* withdrawn when it is given up, not before */
	begin(&s);
	s.input.host.grants_rt_budgets = false;
	make(&s);
	CHECK_INT(s.planned_vcpus[0].rt_permille, 0);
	CHECK(s.planned_vcpus[0].keeps_rt_budget);
}

static void check_no_budget(struct scene *s)
{
	make(s);
	CHECK_INT(s->planned_vcpus[0].rt_permille, 0);
	CHECK(!s->planned_vcpus[0].keeps_rt_budget);
}

/* Released, switched off by either switch, observed: no budget is granted, and none stays. */
static void test_rt_budgets_end(void)
{
	struct scene s;

	begin(&s);
	s.domains[0].released = true;
	check_no_budget(&s);
	begin(&s);
	s.input.host.switches.disabled = true;
	check_no_budget(&s);
	begin(&s);
	s.input.host.switches.enabled = false;
	check_no_budget(&s);
	begin(&s);
	s.domains[0].configured = OBSERVES;
	check_no_budget(&s);
}

/* The number of slots of each of three domains. */
static void check_slots(uint32_t slots, const uint32_t n[3], const uint32_t expected[3])
{
	static struct plan_domain_input domains[3];
	static struct plan_domain planned_domains[3];
	static struct plan_vcpu_input vcpus[3000];
	static struct plan_vcpu planned_vcpus[3000];
	struct plan plan = {.domains = planned_domains, .vcpus = planned_vcpus};
	struct scene s;
	size_t i = 0;

	begin(&s);
	s.input.host.slots = slots;
	s.input.n_domains = 3;
	s.input.domains = domains;
	s.input.vcpus = vcpus;
	for (unsigned int domain = 0; domain < 3; domain++) {
		domains[domain] = s.domains[0];
		for (unsigned int index = 0; index < n[domain]; index++, i++) {
			vcpus[i] = s.vcpus[0];
			vcpus[i].domain = domain;
			vcpus[i].index = index;
		}
	}
	s.input.n_vcpus = i;
	CHECK_INT(plan_make(&s.input, &plan), 0);
	i = 0;
	for (unsigned int domain = 0; domain < 3; domain++) {
		CHECK_INT(planned_domains[domain].n_proven, n[domain]);
		CHECK_INT(planned_domains[domain].n_slots, expected[domain]);
		for (unsigned int index = 0; index < n[domain]; index++, i++) {
			CHECK_INT(planned_vcpus[i].traced, index < expected[domain]);
			if (!planned_vcpus[i].traced)
				CHECK_INT(planned_vcpus[i].untraced, POLICY_REASON_NO_SLOT);
		}
	}
}

/* A domain that has many vCPUs takes no slot from one that has few. */
static void test_slots(void)
{
	static const struct {
		uint32_t slots, n[3], expected[3];
	} table[] = {
	        {10, {1, 2, 3}, {1, 2, 3}},
	        {6, {1, 2, 3}, {1, 2, 3}},
	        {10, {512, 512, 4}, {3, 3, 3}},
	        {11, {512, 512, 3}, {4, 4, 3}},
	        {1024, {1000, 1000, 4}, {510, 510, 4}},
	        {3, {512, 512, 512}, {1, 1, 1}},
	        {2, {5, 5, 5}, {0, 0, 0}},
	        {0, {1, 0, 1}, {0, 0, 0}},
	        {4, {0, 9, 0}, {0, 4, 0}},
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		check_slots(table[i].slots, table[i].n, table[i].expected);
}

TEST_MAIN(TEST(test_admission_scales_alike), TEST(test_admission_counts_boosts_alone),
          TEST(test_admission_holds_what_is_too_small),
          TEST(test_admission_counts_what_may_be_boosted), TEST(test_a_domain_claims_its_share),
          TEST(test_rt_budgets), TEST(test_rt_budgets_end), TEST(test_slots))
