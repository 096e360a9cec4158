// SPDX-License-Identifier: GPL-2.0-or-later
/* Boosted vCPUs for which no event came though their tokens ended. */
#include "boost/backstop.h"

#include "test.h"

#define US NSEC_PER_USEC
#define T0 (5 * NSEC_PER_SEC)
#define N  (3 * BACKSTOP_LOOKS + 1)

static struct pvs_vcpu_account vcpus[N];
static struct pvs_domain_account domain;
static struct pvs_cpu_account cpu;
static struct pvs_bucket_rule cpu_rule = {.burst_ns = 3000 * US, .share_permille = 300};
static const struct accounts accounts = {vcpus, &domain, &cpu, &cpu_rule, NULL};
static struct boosted_slots boosted;

/* All are boosted, with 500 us each, and sleep. */
static void start(void)
{
	boosted.n = 0;
	for (unsigned int slot = 0; slot < N; slot++) {
		vcpus[slot] = (struct pvs_vcpu_account){
		        .rule = {.burst_ns = 500 * US, .share_permille = 200},
		        .flags = PVS_FLAG_BOOSTED,
		        .boosted_at_ns = T0 - NSEC_PER_SEC,
		};
		boosted.slots[boosted.n++] = (uint16_t)slot;
	}
}

/* As often as it takes until each was looked at; all of it at about the same time. */
static int look_at_all(uint64_t now_ns)
{
	struct backstop backstop = {0};
	int slot = -1;

	for (unsigned int i = 0; i <= N / BACKSTOP_LOOKS && slot < 0; i++) {
		slot = backstop_look(&backstop, &accounts, &boosted, now_ns);
		backstop.looked_ns = 0;
	}
	return slot;
}

static void test_finds_each(void)
{
	for (unsigned int slot = 0; slot < N; slot++) {
		start();
		vcpus[slot].in_ns = T0;
		CHECK_INT(look_at_all(T0 + 1600 * US), (int)slot);
	}
}

/* The tracer's event may be on its way: it says which bucket is empty. */
static void test_leaves_time_for_the_event(void)
{
	start();
	vcpus[3].in_ns = T0;
	CHECK_INT(look_at_all(T0 + 500 * US), -1);
	CHECK_INT(look_at_all(T0 + 1499 * US), -1);
	CHECK_INT(look_at_all(T0 + 1500 * US), 3);
}

static void test_none_that_sleeps_or_is_not_boosted(void)
{
	start();
	CHECK_INT(look_at_all(T0 + NSEC_PER_SEC), -1);
	vcpus[3].in_ns = T0;
	boosted.slots[3] = boosted.slots[--boosted.n];
	CHECK_INT(look_at_all(T0 + NSEC_PER_SEC), -1);
	boosted.n = 0;
	CHECK_INT(look_at_all(T0 + NSEC_PER_SEC), -1);
}

/* However often it is called. */
static void test_looks_once_in_a_while(void)
{
	struct backstop backstop = {0};
	uint64_t now_ns = T0 + NSEC_PER_SEC;

	start();
	for (unsigned int slot = 0; slot < N; slot++)
		vcpus[slot].in_ns = T0;
	CHECK(backstop_look(&backstop, &accounts, &boosted, now_ns) >= 0);
	CHECK_INT(backstop_look(&backstop, &accounts, &boosted, now_ns + BACKSTOP_EVERY_NS - 1),
	          -1);
	CHECK(backstop_look(&backstop, &accounts, &boosted, now_ns + BACKSTOP_EVERY_NS) >= 0);
}

/* Of many, each in its turn. */
static void test_takes_turns(void)
{
	struct backstop backstop = {0};
	unsigned int seen[N] = {0};

	start();
	for (unsigned int slot = 0; slot < N; slot++)
		vcpus[slot].in_ns = T0;
	for (unsigned int i = 0; i < 2 * N; i++) {
		int slot = backstop_look(&backstop, &accounts, &boosted,
		                         T0 + NSEC_PER_SEC + i * BACKSTOP_EVERY_NS);

		CHECK(slot >= 0 && slot < N);
		seen[slot]++;
	}
	for (unsigned int slot = 0; slot < N; slot++)
		CHECK_U64(seen[slot], 2);
}

TEST_MAIN({"finds_each", test_finds_each},
          {"leaves_time_for_the_event", test_leaves_time_for_the_event},
          {"none_that_sleeps_or_is_not_boosted", test_none_that_sleeps_or_is_not_boosted},
          {"looks_once_in_a_while", test_looks_once_in_a_while}, {"takes_turns", test_takes_turns})
