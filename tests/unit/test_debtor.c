// SPDX-License-Identifier: GPL-2.0-or-later
#include "boost/debtor.h"

#include "test.h"

#define US NSEC_PER_USEC
#define T0 (5 * NSEC_PER_SEC)
#define N  6

static struct pvs_vcpu_account vcpus[N];
static const struct accounts accounts = {.vcpus = vcpus};
static struct boosted_slots boosted;

/* On CPU 1, of domain 3; boosted, and owes nothing. */
static void start(void)
{
	boosted.n = 0;
	for (unsigned int slot = 0; slot < N; slot++) {
		vcpus[slot] = (struct pvs_vcpu_account){
		        .rule = {.burst_ns = 500 * US, .share_permille = 200},
		        .cpu = 1,
		        .domain = 3,
		};
		boosted.slots[boosted.n++] = (uint16_t)slot;
	}
}

/* Its bucket was charged for a run of so many us, which ends now. */
static void owe(unsigned int slot, uint64_t used_us)
{
	struct pvs_vcpu_account *a = &vcpus[slot];

	a->repaid_at_ns = pvs_bucket_use(&a->rule, 0, used_us * US, T0, T0, a->entitled_permille);
}

static void test_largest_debt(void)
{
	start();
	owe(1, 10);
	owe(4, 30);
	owe(5, 20);
	CHECK_INT(debtor_on_cpu(&accounts, &boosted, 0, T0), 4);
	CHECK_INT(debtor_on_cpu(&accounts, &boosted, 4, T0), 4);
}

/* A small share takes long to repay what it used: that does not make it the larger debtor. */
static void test_small_share(void)
{
	start();
	vcpus[2].rule.share_permille = 20;
	owe(2, 100);
	owe(4, 190);
	CHECK_INT(debtor_on_cpu(&accounts, &boosted, 0, T0), 4);
	owe(2, 200);
	CHECK_INT(debtor_on_cpu(&accounts, &boosted, 0, T0), 2);
}

/* Nor does a high price, by which it repays more than it used. */
static void test_high_price(void)
{
	start();
	vcpus[2].entitled_permille = 50;
	owe(2, 100);
	owe(4, 190);
	CHECK_INT(debtor_on_cpu(&accounts, &boosted, 0, T0), 4);
	owe(2, 200);
	CHECK_INT(debtor_on_cpu(&accounts, &boosted, 0, T0), 2);
}

/* The one that comes first in the list of boosted slots. */
static void test_equal_debts(void)
{
	start();
	CHECK_INT(debtor_on_cpu(&accounts, &boosted, 2, T0), 0);
	owe(3, 10);
	owe(5, 10);
	CHECK_INT(debtor_on_cpu(&accounts, &boosted, 2, T0), 3);
}

static void test_only_boosted_ones_on_that_cpu(void)
{
	start();
	owe(1, 30);
	vcpus[1].cpu = 0;
	owe(5, 20);
	boosted.n--; /* slot 5 */
	owe(2, 10);
	CHECK_INT(debtor_on_cpu(&accounts, &boosted, 0, T0), 2);
	CHECK_INT(debtor_on_cpu(&accounts, &boosted, 1, T0), 1);
	boosted.n = 0;
	CHECK_INT(debtor_on_cpu(&accounts, &boosted, 0, T0), -1);
}

static void test_of_one_domain(void)
{
	start();
	owe(1, 30);
	vcpus[1].domain = 2;
	owe(4, 10);
	CHECK_INT(debtor_on_cpu(&accounts, &boosted, 0, T0), 1);
	CHECK_INT(debtor_of_domain(&accounts, &boosted, 0, T0), 4);
	CHECK_INT(debtor_of_domain(&accounts, &boosted, 1, T0), 1);
}

TEST_MAIN({"largest_debt", test_largest_debt}, {"small_share", test_small_share},
          {"high_price", test_high_price}, {"equal_debts", test_equal_debts},
          {"only_boosted_ones_on_that_cpu", test_only_boosted_ones_on_that_cpu},
          {"of_one_domain", test_of_one_domain})
