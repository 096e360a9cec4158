// SPDX-License-Identifier: GPL-2.0-or-later
/* The budget of clamped run time, in virtual time: the caller looks when it is told to. */
#include "daemon/clamp_budget.h"

#include "test.h"

#define T0  (1000 * NSEC_PER_SEC)
#define SEC NSEC_PER_SEC

static struct pvs_vcpu_account vcpus[4];
static const struct accounts accounts = {.vcpus = vcpus};
static struct clamp_budget *budget;
static unsigned int n_changed;

static void on_changed(void *userdata)
{
	(void)userdata;
	n_changed++;
}

static void begin(void)
{
	clamp_budget_free(budget);
	memset(vcpus, 0, sizeof(vcpus));
	n_changed = 0;
	CHECK_INT(clamp_budget_new(&budget, NULL, &accounts, on_changed, NULL), 0);
	CHECK_U64(clamp_budget_look(budget, T0), NSEC_NEVER);
}

/* As the daemon does: a clamp that is spent goes, and comes back. Returns the next look. */
static uint64_t look(uint64_t now_ns)
{
	uint64_t next_ns = clamp_budget_look(budget, now_ns);

	clamp_budget_clamped(budget, 1, !clamp_budget_spent(budget, 1), now_ns);
	return MIN(next_ns, clamp_budget_look(budget, now_ns));
}

/* A vCPU that always runs: the burst, and its share; then none, until all is made up for. */
static void test_always_running(void)
{
	uint64_t now_ns = T0;
	unsigned int looks = 0;

	begin();
	vcpus[1].in_ns = T0;
	clamp_budget_follow(budget, 1, 7, 200, T0);
	clamp_budget_clamped(budget, 1, true, T0);
	for (; now_ns < T0 + 1000 * SEC; looks++) {
		uint64_t next_ns = look(now_ns);

		CHECK(next_ns > now_ns);
		now_ns = next_ns;
	}
	printf("# %u looks in 1000 s, %llu permille clamped\n", looks,
	       (unsigned long long)(clamp_budget_used_ns(budget, 1, now_ns) / SEC));
	CHECK(clamp_budget_used_ns(budget, 1, now_ns) >= 190 * SEC);
	CHECK(clamp_budget_used_ns(budget, 1, now_ns) <= 200 * SEC + CLAMP_BUDGET_BURST_NS);
	CHECK(n_changed > 10 && looks < 100);
}

/* One that runs for less than its share is never without; it is looked at every ten seconds. */
static void test_within(void)
{
	uint64_t now_ns = T0;

	begin();
	clamp_budget_follow(budget, 1, 7, 200, T0);
	clamp_budget_clamped(budget, 1, true, T0);
	while (now_ns < T0 + 1000 * SEC) {
		uint64_t next_ns = look(now_ns);

		CHECK(!clamp_budget_spent(budget, 1));
		vcpus[1].run_ns += (next_ns - now_ns) / 10;
		CHECK(next_ns >= now_ns + 8 * SEC);
		now_ns = next_ns;
	}
	CHECK_INT(n_changed, 0);
	CHECK(clamp_budget_used_ns(budget, 1, now_ns) >= 95 * SEC);
	CHECK(clamp_budget_used_ns(budget, 1, now_ns) <= 100 * SEC);
}

/* What runs without a clamp is not charged, and needs no look. */
static void test_without_a_clamp(void)
{
	begin();
	vcpus[1].in_ns = T0;
	clamp_budget_follow(budget, 1, 7, 200, T0);
	CHECK_U64(clamp_budget_look(budget, T0 + SEC), NSEC_NEVER);
	clamp_budget_clamped(budget, 1, true, T0 + 20 * SEC);
	clamp_budget_clamped(budget, 1, false, T0 + 23 * SEC);
	CHECK_U64(clamp_budget_look(budget, T0 + 50 * SEC), NSEC_NEVER);
	CHECK_U64(clamp_budget_used_ns(budget, 1, T0 + 50 * SEC), 3 * SEC);
	CHECK_INT(n_changed, 0);
}

/* Another thread in the slot owes nothing, and none is followed no more. */
static void test_another_thread(void)
{
	begin();
	vcpus[1].in_ns = T0;
	clamp_budget_follow(budget, 1, 7, 10, T0);
	clamp_budget_clamped(budget, 1, true, T0);
	clamp_budget_look(budget, T0 + 20 * SEC);
	CHECK(clamp_budget_spent(budget, 1));
	/* another share for the same thread forgives nothing */
	clamp_budget_follow(budget, 1, 7, 1000, T0 + 20 * SEC);
	CHECK(clamp_budget_spent(budget, 1));
	clamp_budget_follow(budget, 1, 8, 10, T0 + 20 * SEC);
	CHECK(!clamp_budget_spent(budget, 1));
	CHECK_U64(clamp_budget_used_ns(budget, 1, T0 + 20 * SEC), 0);
	clamp_budget_clamped(budget, 1, true, T0 + 20 * SEC);
	clamp_budget_follow(budget, 1, 0, 0, T0 + 21 * SEC);
	CHECK_U64(clamp_budget_look(budget, T0 + 50 * SEC), NSEC_NEVER);
}

/* A share that becomes smaller is not charged for the past, and a late look costs the burst alone.
 */
static void test_smaller_share(void)
{
	begin();
	vcpus[1].in_ns = T0;
	clamp_budget_follow(budget, 1, 7, 1000, T0);
	clamp_budget_clamped(budget, 1, true, T0);
	CHECK_U64(clamp_budget_look(budget, T0), NSEC_NEVER);
	clamp_budget_follow(budget, 1, 7, 200, T0 + 86400 * SEC);
	clamp_budget_look(budget, T0 + 86400 * SEC);
	CHECK(!clamp_budget_spent(budget, 1));
	CHECK_U64(clamp_budget_used_ns(budget, 1, T0 + 86401 * SEC), 86401 * SEC);
	/* not looked at for a day */
	CHECK(look(T0 + 2 * 86400 * SEC) <= T0 + 2 * 86400 * SEC + 51 * SEC);
	CHECK(clamp_budget_spent(budget, 1));
}

/* At its share, its bucket all but empty: one look a second. */
static void test_at_its_share(void)
{
	uint64_t now_ns = T0;
	unsigned int looks = 0;

	begin();
	clamp_budget_follow(budget, 1, 7, 200, T0);
	clamp_budget_clamped(budget, 1, true, T0);
	vcpus[1].run_ns = 9900 * NSEC_PER_MSEC;
	clamp_budget_look(budget, now_ns += 10 * SEC);
	for (; now_ns < T0 + 110 * SEC; looks++) {
		uint64_t next_ns = look(now_ns);

		vcpus[1].run_ns += (next_ns - now_ns) / 5;
		now_ns = next_ns;
	}
	CHECK(!clamp_budget_spent(budget, 1));
	CHECK(looks <= 101);
}

/* A run that is being booked may be seen twice or not at all: time never runs backwards. */
static void test_torn_account(void)
{
	begin();
	vcpus[1].in_ns = T0;
	clamp_budget_follow(budget, 1, 7, 200, T0);
	clamp_budget_clamped(budget, 1, true, T0);
	vcpus[1].run_ns = 5 * SEC; /* booked, and in_ns is not cleared yet */
	CHECK_U64(clamp_budget_used_ns(budget, 1, T0 + 5 * SEC), 5 * SEC);
	clamp_budget_look(budget, T0 + 5 * SEC);
	CHECK_U64(clamp_budget_used_ns(budget, 1, T0 + 5 * SEC), 5 * SEC);
	vcpus[1].in_ns = 0;
	clamp_budget_look(budget, T0 + 6 * SEC);
	CHECK_U64(clamp_budget_used_ns(budget, 1, T0 + 6 * SEC), 5 * SEC);
	vcpus[1].run_ns = 6 * SEC;
	clamp_budget_look(budget, T0 + 7 * SEC);
	CHECK_U64(clamp_budget_used_ns(budget, 1, T0 + 7 * SEC), 6 * SEC);
}

TEST_MAIN(TEST(test_always_running), TEST(test_within), TEST(test_without_a_clamp),
          TEST(test_another_thread), TEST(test_smaller_share), TEST(test_at_its_share),
          TEST(test_torn_account))
