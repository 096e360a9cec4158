// SPDX-License-Identifier: GPL-2.0-or-later
#include "boost/debtor.h"

#include <sys/mman.h>
#include <unistd.h>

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
	boosted_slots_init(&boosted);
	for (unsigned int slot = 0; slot < N; slot++) {
		vcpus[slot] = (struct pvs_vcpu_account){
		        .rule = {.burst_ns = 500 * US, .share_permille = 200},
		        .cpu = 1,
		        .domain = 3,
		};
		boosted_slots_put(&boosted, &accounts, slot);
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

/* The one that is on the list of the CPU for longest. */
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
	vcpus[1].cpu = 0; /* its list does not say so yet */
	owe(5, 20);
	boosted_slots_drop(&boosted, 5);
	owe(2, 10);
	CHECK_INT(debtor_on_cpu(&accounts, &boosted, 0, T0), 2);
	CHECK_INT(debtor_on_cpu(&accounts, &boosted, 1, T0), -1);
	boosted_slots_put(&boosted, &accounts, 1);
	CHECK_INT(debtor_on_cpu(&accounts, &boosted, 0, T0), 2);
	CHECK_INT(debtor_on_cpu(&accounts, &boosted, 1, T0), 1);
	for (unsigned int slot = 0; slot < N; slot++)
		boosted_slots_drop(&boosted, slot);
	CHECK_INT(debtor_on_cpu(&accounts, &boosted, 0, T0), -1);
}

/*
 * Of all slots, one is on the CPU that is asked about: the accounts of the others are not read.
 * They are in memory that cannot be read, but for what shares a page with it.
 */
static void test_reads_no_account_of_another_cpu(void)
{
	const unsigned int slot = PVS_VCPUS_MAX / 2;
	size_t page = (size_t)sysconf(_SC_PAGESIZE), size = PVS_VCPUS_MAX * sizeof(*vcpus);
	size_t from = slot * sizeof(*vcpus) / page * page;
	size_t to = ((slot + 1) * sizeof(*vcpus) + page - 1) / page * page;
	struct pvs_vcpu_account *all =
	        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct accounts of_all = {.vcpus = all};

	CHECK(all != MAP_FAILED);
	boosted_slots_init(&boosted);
	for (unsigned int i = 0; i < PVS_VCPUS_MAX; i++) {
		all[i].cpu = i == slot ? 7 : i % 7;
		all[i].domain = i / 4;
		boosted_slots_put(&boosted, &of_all, i);
	}
	CHECK_INT(boosted.n, PVS_VCPUS_MAX);
	CHECK(mprotect(all, from, PROT_NONE) == 0);
	CHECK(mprotect((char *)all + to, (size - to) / page * page, PROT_NONE) == 0);
	CHECK_INT(debtor_on_cpu(&of_all, &boosted, slot, T0), (int)slot);
	munmap(all, size);
}

TEST_MAIN({"largest_debt", test_largest_debt}, {"small_share", test_small_share},
          {"high_price", test_high_price}, {"equal_debts", test_equal_debts},
          {"only_boosted_ones_on_that_cpu", test_only_boosted_ones_on_that_cpu},
          {"reads_no_account_of_another_cpu", test_reads_no_account_of_another_cpu})
