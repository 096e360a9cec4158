// SPDX-License-Identifier: GPL-2.0-or-later
#include "boost/debtor.h"

#include "test.h"

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
		vcpus[slot] = (struct pvs_vcpu_account){.cpu = 1, .domain = 3};
		boosted.slots[boosted.n++] = (uint16_t)slot;
	}
}

static void owe(unsigned int slot, uint64_t debt_ns)
{
	vcpus[slot].repaid_at_ns = T0 + debt_ns;
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

TEST_MAIN({"largest_debt", test_largest_debt}, {"equal_debts", test_equal_debts},
          {"only_boosted_ones_on_that_cpu", test_only_boosted_ones_on_that_cpu},
          {"of_one_domain", test_of_one_domain})
