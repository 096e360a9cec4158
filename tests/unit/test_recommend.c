// SPDX-License-Identifier: GPL-2.0-or-later
/* Verdicts, by a table. Links src/policy alone. */
#include "policy/recommend.h"

#include "test.h"

#define US NSEC_PER_USEC

static struct demand demand;

/* A wake-up each millisecond with so much work; @late_permille of them late and not boosted. */
static void observe(uint64_t work_us, uint32_t late_permille)
{
	demand = (struct demand){.n = 800, .since_ns = 1, .wakeups = 80000};
	for (size_t i = 0; i < demand.n; i++)
		demand.pieces[i] = (struct demand_piece){
		        .gap_ns = 1000 * US,
		        .work_ns = work_us * US,
		        .weight = 100,
		        .entitled_permille = 1000,
		        .late = i % 100 * 10 < late_permille,
		        .boosted = i % 100 * 10 >= late_permille,
		};
}

/* Observed for a minute on a busy host, and not boosted. */
static struct recommend_facts facts_init(void)
{
	return (struct recommend_facts){
	        .traced = true,
	        .wakeups = 60000,
	        .wait_us = 4000,
	        .run_permille = 100,
	        .entitled_permille = 330,
	        .rule = {.burst_ns = 500 * US, .share_permille = 200},
	        .limits = {.burst_ns = 2000 * US, .share_permille = 300},
	        .demand = &demand,
	};
}

static bool lacks_tokens(const struct recommend_facts *facts)
{
	struct recommend got = recommend_vcpu(facts);

	return recommend_lacks_tokens(facts, &got);
}

#define QUOTA POLICY_HOLD(POLICY_REASON_QUOTA)

static void test_verdicts(void)
{
	static const struct {
		uint64_t work_us;
		struct recommend_facts is; /* what differs from facts_init() */
		enum recommend_verdict verdict;
	} table[] = {
	        {100, {.wait_us = 4000}, RECOMMEND_BOOST},
	        /* nothing to gain */
	        {100, {.wait_us = 80}, RECOMMEND_IDLE_HOST},
	        {100, {.wait_us = 80, .one_cpu = true}, RECOMMEND_ALONE},
	        {100, {.wait_us = 4000, .one_cpu = true}, RECOMMEND_BOOST},
	        /* boosted: it waits no longer because of that */
	        {100, {.wait_us = 30, .boosts = true, .boosted = 59000}, RECOMMEND_KEEP},
	        {100, {.wait_us = 30, .boosts = true, .boosted = 100}, RECOMMEND_IDLE_HOST},
	        {230, {.wait_us = 30, .boosts = true, .boosted = 40000}, RECOMMEND_BOOST},
	        /* it cannot have that */
	        {100, {.holds = QUOTA, .wait_us = 4000}, RECOMMEND_HELD},
	        {100, {.holds = QUOTA, .wait_us = 30}, RECOMMEND_HELD},
	        {290,
	         {.limits = {.burst_ns = 300 * US, .share_permille = 300}},
	         RECOMMEND_OVER_LIMITS},
	        {230, {.entitled_permille = 200}, RECOMMEND_OVER_LIMITS},
	        {230, {.entitled_permille = 0}, RECOMMEND_BOOST},
	        {400, {.wait_us = 4000}, RECOMMEND_STEADY},
	        {100, {.run_permille = 990}, RECOMMEND_STEADY},
	        {100, {.run_permille = 990, .wakeups = 3}, RECOMMEND_STEADY},
	        /* it is not known */
	        {100, {.wakeups = 50}, RECOMMEND_UNKNOWN},
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		const struct recommend_facts *is = &table[i].is;
		struct recommend_facts facts = facts_init();
		struct recommend got;

		observe(table[i].work_us, 0);
		facts.holds = is->holds;
		facts.reason = is->holds ? POLICY_REASON_QUOTA : POLICY_REASON_DISABLED;
		facts.boosts = is->boosts;
		facts.boosted = is->boosted;
		facts.one_cpu = is->one_cpu;
		if (is->wait_us)
			facts.wait_us = is->wait_us;
		if (is->wakeups)
			facts.wakeups = is->wakeups;
		if (is->run_permille)
			facts.run_permille = is->run_permille;
		if (is->entitled_permille || table[i].verdict == RECOMMEND_BOOST)
			facts.entitled_permille = is->entitled_permille;
		if (is->limits.share_permille)
			facts.limits = is->limits;
		got = recommend_vcpu(&facts);
		printf("  %zu: %s\n", i, recommend_verdict_name(got.verdict));
		CHECK_STR(recommend_verdict_name(got.verdict),
		          recommend_verdict_name(table[i].verdict));
		if (got.verdict == RECOMMEND_HELD)
			CHECK_INT(got.reason, POLICY_REASON_QUOTA);
		CHECK(recommend_verdict_text(got.verdict)[0]);
	}
}

/* One of 50 wake-ups has more work than any burst: the others are worth it. */
static void test_part(void)
{
	struct recommend_facts facts = facts_init();
	struct recommend got;

	observe(100, 0);
	for (size_t i = 0; i < demand.n; i += 50)
		demand.pieces[i].work_ns = 2500 * US;
	got = recommend_vcpu(&facts);
	CHECK_STR(recommend_verdict_name(got.verdict), "part");
	CHECK_U64(got.burst_ns, facts.limits.burst_ns);
	CHECK_LE(got.share_permille, facts.limits.share_permille);
	CHECK_GE(got.covered_permille, RECOMMEND_PART_PERMILLE);
	CHECK_LE(got.covered_permille, DEMAND_GOAL_PERMILLE);
	CHECK_GE(got.need.burst_ns, 2500 * US);
	/* it has that: there is no more */
	facts.boosts = true;
	facts.boosted = 59000;
	facts.rule = (struct pvs_bucket_rule){.burst_ns = got.burst_ns,
	                                      .share_permille = got.share_permille};
	got = recommend_vcpu(&facts);
	CHECK_STR(recommend_verdict_name(got.verdict), "keep");
	CHECK_LE(got.covered_permille, DEMAND_GOAL_PERMILLE);
	/* it may have next to nothing */
	facts = facts_init();
	facts.limits.burst_ns = 60 * US;
	got = recommend_vcpu(&facts);
	CHECK_STR(recommend_verdict_name(got.verdict), "over-limits");
}

static void test_not_measured(void)
{
	struct recommend_facts facts = facts_init();

	observe(100, 0);
	facts.traced = false;
	facts.reason = POLICY_REASON_NO_SLOT;
	CHECK_INT(recommend_vcpu(&facts).verdict, RECOMMEND_NOT_MEASURED);
	CHECK_INT(recommend_vcpu(&facts).reason, POLICY_REASON_NO_SLOT);
	CHECK(!lacks_tokens(&facts));
	facts.traced = true;
	demand = (struct demand){0};
	CHECK_INT(recommend_vcpu(&facts).verdict, RECOMMEND_UNKNOWN);
}

static void test_numbers(void)
{
	struct recommend_facts facts = facts_init();
	struct recommend got;

	observe(200, 0);
	got = recommend_vcpu(&facts);
	CHECK_GE(got.burst_ns, 200 * US);
	CHECK_LE(got.burst_ns, 250 * US);
	CHECK_GE(got.share_permille, 200);
	CHECK_LE(got.share_permille, 250);
	CHECK_INT(got.covered_permille, 1000);
	CHECK_U64(got.need.burst_ns, got.burst_ns);
	CHECK_INT(got.need.share_permille, got.share_permille);
	/* what it has is kept, and what it needs is known all the same */
	facts.boosts = true;
	facts.boosted = facts.wakeups;
	facts.rule = (struct pvs_bucket_rule){.burst_ns = 900 * US, .share_permille = 290};
	got = recommend_vcpu(&facts);
	CHECK_INT(got.verdict, RECOMMEND_KEEP);
	CHECK_U64(got.burst_ns, 900 * US);
	CHECK_LE(got.need.burst_ns, 250 * US);
	CHECK_LE(got.need.share_permille, 250);
	CHECK_INT(got.used_permille, 200);
	CHECK_U64(got.wakeups, 80000);
}

/* One burst and one share for all vCPUs, the largest; what needs none does not count. */
static void test_a_domain(void)
{
	struct recommend vcpus[] = {
	        {.verdict = RECOMMEND_IDLE_HOST,
	         .burst_ns = 900 * US,
	         .share_permille = 250,
	         .used_permille = 10,
	         .wakeups = 100},
	        {.verdict = RECOMMEND_BOOST,
	         .need = {.burst_ns = 300 * US, .share_permille = 100, .covered_permille = 990},
	         .burst_ns = 300 * US,
	         .share_permille = 100,
	         .covered_permille = 990,
	         .used_permille = 90,
	         .wakeups = 1000},
	        {.verdict = RECOMMEND_KEEP,
	         .need = {.burst_ns = 150 * US, .share_permille = 180, .covered_permille = 994},
	         .burst_ns = 200 * US,
	         .share_permille = 200,
	         .covered_permille = 1000,
	         .used_permille = 20,
	         .wakeups = 3000},
	        {.verdict = RECOMMEND_HELD, .reason = POLICY_REASON_QUOTA},
	};
	struct recommend all = RECOMMEND_NONE;

	for (size_t i = 0; i < ARRAY_SIZE(vcpus); i++)
		recommend_join(&all, &vcpus[i]);
	CHECK_INT(all.verdict, RECOMMEND_BOOST);
	CHECK_U64(all.burst_ns, 300 * US);
	CHECK_INT(all.share_permille, 200);
	CHECK_INT(all.covered_permille, 997);
	CHECK_U64(all.need.burst_ns, 300 * US);
	CHECK_INT(all.need.share_permille, 180);
	CHECK_INT(all.need.covered_permille, 993);
	CHECK_INT(all.used_permille, 120);
	CHECK_U64(all.wakeups, 4000);
	/* one that may have a part of what it needs decides, and what all may have is joined */
	vcpus[0] = (struct recommend){
	        .verdict = RECOMMEND_PART,
	        .need = {.burst_ns = 9000 * US, .share_permille = 900, .covered_permille = 990},
	        .burst_ns = 2000 * US,
	        .share_permille = 300,
	        .covered_permille = 850,
	        .wakeups = 1000,
	};
	recommend_join(&all, &vcpus[0]);
	CHECK_INT(all.verdict, RECOMMEND_PART);
	CHECK_U64(all.burst_ns, 2000 * US);
	CHECK_INT(all.share_permille, 300);
	vcpus[0].verdict = RECOMMEND_IDLE_HOST;
	all = RECOMMEND_NONE;
	recommend_join(&all, &vcpus[3]);
	CHECK_INT(all.verdict, RECOMMEND_HELD);
	CHECK_INT(all.reason, POLICY_REASON_QUOTA);
	recommend_join(&all, &vcpus[0]);
	CHECK_INT(all.verdict, RECOMMEND_IDLE_HOST);
	CHECK_U64(all.burst_ns, 0);
}

/* Late, not boosted, and its bucket is too small: all three. */
static void test_lacks_tokens(void)
{
	struct recommend_facts facts = facts_init();

	facts.boosts = true;
	observe(250, 300);
	CHECK(lacks_tokens(&facts));
	facts.holds = QUOTA;
	CHECK(!lacks_tokens(&facts));
	facts.holds = 0;
	facts.boosts = false;
	CHECK(!lacks_tokens(&facts));
	facts.boosts = true;
	observe(250, 40);
	CHECK(!lacks_tokens(&facts));
	observe(150, 300); /* what it has covers it: it is late for another cause */
	CHECK(!lacks_tokens(&facts));
}

TEST_MAIN(TEST(test_verdicts), TEST(test_part), TEST(test_not_measured), TEST(test_numbers),
          TEST(test_a_domain), TEST(test_lacks_tokens))
