// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Sums over a domain's vCPUs that only grow: vCPUs that come, go, begin anew, and a slot that
 * another domain has. Needs src/daemon/tally.c alone: the vCPUs' counters are this test's.
 */
#include "daemon/tally.h"

#include "daemon/vcpu_snapshot.h"

#include "test.h"

static struct vcpu_snapshot counters[4]; /* of the slots 0 to 3 */
static struct inventory_vcpu vcpus[4];
static struct inventory_domain domain;
static struct tally *tally;
static uint64_t at_ns;

void vcpu_snapshot_take(const struct views *views, const struct inventory_vcpu *vcpu,
                        struct vcpu_snapshot *ret)
{
	(void)views;
	*ret = counters[vcpu->slot];
}

static void begin(size_t n)
{
	memset(counters, 0, sizeof(counters));
	for (unsigned int i = 0; i < 4; i++) {
		vcpus[i] =
		        (struct inventory_vcpu){.slot = i, .thread = {.id = {100 + (pid_t)i, 7}}};
		counters[i].traced = true;
	}
	domain = (struct inventory_domain){.slot = 3, .serial = 1, .vcpus = vcpus, .n_vcpus = n};
	tally = tally_free(tally);
	tally = tally_new();
	CHECK(tally);
}

static void run(unsigned int slot, uint64_t n)
{
	counters[slot].account.run_ns += 1000 * n;
	counters[slot].account.wait_ns += 10 * n;
	counters[slot].account.used_ns += 100 * n;
	counters[slot].account.wakeups += n;
	counters[slot].account.wait_counts[slot] += (uint32_t)n;
	counters[slot].booster.view.boosts_total += n;
	counters[slot].booster.view.denied_total[POLICY_REASON_BUDGET] += 2 * n;
}

static const struct tally_counts *look(void)
{
	return tally_look(tally, NULL, &domain, &at_ns);
}

static void test_sums(void)
{
	const struct tally_counts *sum;

	begin(2);
	counters[1].taken_ns = 99;
	run(0, 5);
	run(1, 7);
	for (int i = 0; i < 2; i++) {
		sum = look();
		CHECK_U64(sum->run_ns, 12000);
		CHECK_U64(sum->wait_ns, 120);
		CHECK_U64(sum->boosted_ns, 1200);
		CHECK_U64(sum->boosts, 12);
		CHECK_U64(sum->wakeups, 12);
		CHECK_U64(sum->denied[POLICY_REASON_BUDGET], 24);
		CHECK_U64(sum->waits[0], 5);
		CHECK_U64(sum->waits[1], 7);
		CHECK_U64(at_ns, 99);
	}
	run(1, 3);
	CHECK_U64(look()->boosts, 15);
}

/* Its counters begin anew with the slot; the sum stays, and grows by what is counted since. */
static void test_come_and_go(void)
{
	begin(2);
	run(0, 5);
	run(1, 7);
	CHECK_U64(look()->boosts, 12);
	domain.n_vcpus = 1; /* one was unplugged */
	CHECK_U64(look()->boosts, 12);
	CHECK_U64(look()->waits[1], 7);
	domain.n_vcpus = 2; /* plugged again: another thread, maybe with more to it */
	vcpus[1].thread.id.tid++;
	run(1, 2);
	CHECK_U64(look()->boosts, 12 + 9);
	counters[0] = (struct vcpu_snapshot){.traced = true}; /* the same thread, traced anew */
	run(0, 1);
	CHECK_U64(look()->boosts, 12 + 9 + 1);
	vcpus[0].slot = SLOT_NONE;
	CHECK_U64(look()->boosts, 12 + 9 + 1);
}

static void test_overflow(void)
{
	begin(1);
	run(0, 1);
	counters[0].account.wait_counts[5] = UINT32_MAX - 1;
	CHECK_U64(look()->waits[5], UINT32_MAX - 1);
	run(0, 1);
	counters[0].account.wait_counts[5] = 3;
	CHECK_U64(look()->waits[5], (uint64_t)UINT32_MAX + 4);
	CHECK_U64(look()->boosts, 2);
}

static void test_another_domain(void)
{
	struct tally_counts before, since;

	begin(1);
	run(0, 5);
	before = *look();
	run(0, 4);
	tally_difference(look(), &before, &since);
	CHECK_U64(since.boosts, 4);
	CHECK_U64(since.run_ns, 4000);
	CHECK_U64(since.denied[POLICY_REASON_BUDGET], 8);
	CHECK_U64(since.denied[POLICY_REASON_RATE], 0);
	CHECK_U64(since.waits[0], 4);
	domain.serial = 2; /* in the same slots */
	vcpus[0].thread.id.tid = 500;
	counters[0] = (struct vcpu_snapshot){.traced = true};
	CHECK_U64(look()->boosts, 0);
	run(0, 1);
	CHECK_U64(look()->boosts, 1);
	tally = tally_free(tally);
}

TEST_MAIN(TEST(test_sums), TEST(test_come_and_go), TEST(test_overflow), TEST(test_another_domain))
