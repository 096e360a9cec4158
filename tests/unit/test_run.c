// SPDX-License-Identifier: GPL-2.0-or-later
/* What a run of a vCPU costs, and how long it may go on. Needs only src/core/. */
#include "core/run.h"

#include <pthread.h>

#include "test.h"

#define US 1000ULL
#define T0 (5 * 1000000000ULL)

static struct pvs_vcpu_account vcpu;
static struct pvs_domain_account domain;
static struct pvs_cpu_account cpu;
static struct pvs_bucket_rule cpu_rule;
static struct pvs_buckets buckets = {&vcpu, &domain, &cpu, &cpu_rule};

/* It runs boosted since T0: its own bucket has least. */
static void start(void)
{
	vcpu = (struct pvs_vcpu_account){
	        .flags = PVS_FLAG_BOOSTED,
	        .rule = {.burst_ns = 500 * US, .share_permille = 200},
	        .in_ns = T0,
	        .boosted_at_ns = T0 - 100 * US,
	};
	domain = (struct pvs_domain_account){
	        .rule = {.burst_ns = 2000 * US, .share_permille = 500},
	};
	cpu = (struct pvs_cpu_account){.sheet = {.limit_ns = 670000 * US}};
	cpu_rule = (struct pvs_bucket_rule){.burst_ns = 3000 * US, .share_permille = 300};
}

static void test_one_stretch(void)
{
	struct pvs_run run;

	start();
	run = pvs_run_of(&vcpu, vcpu.in_ns, T0 + 80 * US);
	CHECK_U64(run.earlier_ns, 0);
	CHECK_U64(run.last_ns, 80 * US);
	CHECK_U64(run.last_until_ns, T0 + 80 * US);
	/* boosted while it ran */
	vcpu.boosted_at_ns = T0 + 30 * US;
	CHECK_U64(pvs_run_of(&vcpu, vcpu.in_ns, T0 + 80 * US).last_ns, 50 * US);
	/* and unboosted */
	vcpu.flags = 0;
	vcpu.unboosted_at_ns = T0 + 70 * US;
	run = pvs_run_of(&vcpu, vcpu.in_ns, T0 + 80 * US);
	CHECK_U64(run.last_ns, 40 * US);
	CHECK_U64(run.last_until_ns, T0 + 70 * US);
	/* before it ran */
	vcpu.unboosted_at_ns = T0 - 1;
	CHECK_U64(pvs_run_of(&vcpu, vcpu.in_ns, T0 + 80 * US).last_ns, 0);
	CHECK_U64(pvs_run_of(&vcpu, 0, T0 + 80 * US).last_ns, 0);
}

static void test_stretches_before_belong_to_their_run(void)
{
	struct pvs_run run;

	start();
	vcpu.earlier_in_ns = T0;
	vcpu.earlier_ns = 20 * US;
	vcpu.earlier_until_ns = T0 + 25 * US;
	vcpu.boosted_at_ns = T0 + 60 * US;
	run = pvs_run_of(&vcpu, vcpu.in_ns, T0 + 80 * US);
	CHECK_U64(run.earlier_ns, 20 * US);
	CHECK_U64(run.earlier_until_ns, T0 + 25 * US);
	CHECK_U64(run.last_ns, 20 * US);
	vcpu.in_ns = T0 + 70 * US;
	run = pvs_run_of(&vcpu, vcpu.in_ns, T0 + 80 * US);
	CHECK_U64(run.earlier_ns, 0);
	CHECK_U64(run.last_ns, 10 * US);
}

/* A preemption costs the preempted thread, however short the run was. */
static void test_the_least_charge(void)
{
	struct pvs_run run = {.last_ns = 1};

	CHECK_U64(pvs_run_last_charge(&run, PVS_CHARGE_MIN_NS), PVS_CHARGE_MIN_NS);
	run.earlier_ns = 10 * US;
	CHECK_U64(pvs_run_last_charge(&run, PVS_CHARGE_MIN_NS), PVS_CHARGE_MIN_NS - 10 * US);
	run.earlier_ns = PVS_CHARGE_MIN_NS;
	CHECK_U64(pvs_run_last_charge(&run, PVS_CHARGE_MIN_NS), 1);
	run.last_ns = 0; /* not boosted */
	CHECK_U64(pvs_run_last_charge(&run, PVS_CHARGE_MIN_NS), 0);
}

static __s64 left(__u64 now_ns, __u32 expected)
{
	__u32 which = PVS_BUCKET_NONE;
	__s64 ret = pvs_buckets_left(&buckets, T0, now_ns, &which);

	CHECK_INT(which, expected);
	return ret;
}

static void test_the_emptiest_bucket_bounds(void)
{
	start();
	CHECK_INT(left(T0, PVS_BUCKET_VCPU), 500 * US);
	CHECK_INT(left(T0 + 100 * US, PVS_BUCKET_VCPU), 400 * US);
	/* 3500 us to repay, at half: 250 us are left */
	domain.repaid_at_ns = T0 + 3500 * US;
	CHECK_INT(left(T0, PVS_BUCKET_DOMAIN), 250 * US);
	/* 10 ms at 300 permille: all is spent */
	cpu.repaid_at_ns = T0 + 10000 * US;
	CHECK_INT(left(T0, PVS_BUCKET_CPU), 0);
	buckets.domain = NULL;
	buckets.cpu = NULL;
	CHECK_INT(left(T0, PVS_BUCKET_VCPU), 500 * US);
	buckets.domain = &domain;
	buckets.cpu = &cpu;
}

static void test_what_is_owed_counts_in_each_bucket(void)
{
	start();
	vcpu.earlier_in_ns = T0;
	vcpu.earlier_ns = 100 * US;
	vcpu.earlier_until_ns = T0;
	CHECK_INT(left(T0, PVS_BUCKET_VCPU), 400 * US);
	vcpu.rule.burst_ns = 9000 * US;
	CHECK_INT(left(T0, PVS_BUCKET_DOMAIN), 1900 * US);
	domain.rule.burst_ns = 9000 * US;
	CHECK_INT(left(T0, PVS_BUCKET_CPU), 2900 * US);
}

/* A vCPU that would get a tenth of its CPU pays double for a share of a fifth. */
static void test_the_price_shortens_its_own_bucket_alone(void)
{
	start();
	vcpu.entitled_permille = 100;
	CHECK_INT(left(T0, PVS_BUCKET_VCPU), 250 * US);
	pvs_vcpu_charge(&vcpu, T0, 50 * US);
	CHECK_INT(left(T0, PVS_BUCKET_VCPU), 200 * US);
	pvs_domain_charge(&domain, T0, 50 * US);
	CHECK_U64(domain.used_ns, 50 * US);
	CHECK_U64(domain.repaid_at_ns, T0 + 100 * US);
	pvs_cpu_charge(&cpu, &cpu_rule, T0, 30 * US, 0);
	pvs_cpu_charge(&cpu, &cpu_rule, T0, 30 * US, 1);
	CHECK_U64(cpu.rt_run_ns, 60 * US);
	CHECK_U64(cpu.foreign_ns, 30 * US);
	CHECK_U64(cpu.repaid_at_ns, T0 + 200 * US);
}

/* A charge that never gets its turn, since others charge at the same time, is not lost. */
static void test_no_charge_is_lost(void)
{
	start();
	domain.repaid_at_ns = T0 + 10 * US; /* another has charged a moment ago */
	pvs_domain_charge_in_a_crowd(&domain, T0, 50 * US);
	CHECK_U64(domain.repaid_at_ns, T0 + 110 * US);
}

#define CHARGES 100000

static void *charge_often(void *userdata)
{
	for (int i = 0; i < CHARGES; i++)
		pvs_domain_charge(&domain, T0, 5);
	return userdata;
}

/* Several CPUs at once. */
static void test_charges_at_once(void)
{
	pthread_t threads[4];

	start();
	domain.repaid_at_ns = T0;
	for (size_t i = 0; i < 4; i++)
		CHECK_INT(pthread_create(&threads[i], NULL, charge_often, NULL), 0);
	for (size_t i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	CHECK_U64(domain.used_ns, 4 * CHARGES * 5);
	CHECK_U64(domain.repaid_at_ns, T0 + 4 * CHARGES * 10);
}

/* Whatever the buckets hold: what the sheet of the CPU has left bounds, too. */
static void test_the_sheet_bounds(void)
{
	start();
	pvs_sheet_charge(&cpu.sheet, T0, 669700 * US);
	CHECK_INT(left(T0, PVS_BUCKET_SHEET), 300 * US);
	CHECK_INT(left(T0 + 100 * US, PVS_BUCKET_SHEET), 200 * US);
	/* a price is no run time: it shortens the vCPU's own bucket alone */
	vcpu.entitled_permille = 100;
	pvs_vcpu_charge(&vcpu, T0, 0);
	CHECK_INT(left(T0, PVS_BUCKET_VCPU), 250 * US);
	vcpu.entitled_permille = 0;
	/* what is owed for earlier stretches of the run, and what a foreign thread runs now */
	vcpu.earlier_in_ns = T0;
	vcpu.earlier_ns = 100 * US;
	CHECK_INT(left(T0, PVS_BUCKET_SHEET), 200 * US);
	vcpu.earlier_ns = 0;
	cpu.rt_since_ns = T0 - 250 * US;
	CHECK_INT(left(T0, PVS_BUCKET_SHEET), 50 * US);
	/* without a limit nothing is allowed */
	cpu = (struct pvs_cpu_account){};
	CHECK_INT(left(T0, PVS_BUCKET_SHEET), 0);
}

/* Observe: the bucket behaves as if it had been boosted, and nothing else does. */
static void test_imagined(void)
{
	start();
	vcpu.flags = PVS_FLAG_IMAGINED;
	vcpu.out = PVS_OUT_HALTED;
	pvs_imagined_in(&vcpu, T0);
	CHECK_U64(vcpu.wakeups_imagined, 1);
	pvs_imagined_out(&vcpu, T0 + 200 * US, 200 * US, PVS_CHARGE_MIN_NS);
	CHECK_U64(vcpu.imagined_ns, 200 * US);
	pvs_imagined_out(&vcpu, T0 + 900 * US, 700 * US, PVS_CHARGE_MIN_NS);
	CHECK_INT(vcpu.empty, 1);
	pvs_imagined_in(&vcpu, T0 + 901 * US);
	CHECK_U64(vcpu.wakeups_imagined, 1); /* none before it is full again */
	pvs_imagined_in(&vcpu, vcpu.repaid_at_ns);
	CHECK_U64(vcpu.wakeups_imagined, 2);
}

/* Tokens end the run, or the time at which its guest may have become ordinary. */
static void test_next_look(void)
{
	start();
	CHECK_U64(pvs_run_next_look(&vcpu, T0, 400 * US), 400 * US);
	vcpu.page_address = 1;
	CHECK_U64(pvs_run_next_look(&vcpu, T0, 400 * US), 400 * US);
	vcpu.flags |= PVS_FLAG_REPORT_ORDINARY;
	vcpu.urgent_run_ns = 100 * US;
	CHECK_U64(pvs_run_next_look(&vcpu, T0, 400 * US), 100 * US + PVS_REQUEST_GRACE_NS);
	CHECK_U64(pvs_run_next_look(&vcpu, T0, 20 * US), 20 * US);
	CHECK(!pvs_run_is_ordinary(&vcpu, T0 + 400 * US));
	vcpu.request.urgency = PVSCHED_URGENCY_ORDINARY;
	vcpu.request.request_ns = T0 + 30 * US;
	CHECK(!pvs_run_is_ordinary(&vcpu, T0 + 30 * US + PVS_REQUEST_GRACE_NS - 1));
	CHECK(pvs_run_is_ordinary(&vcpu, T0 + 30 * US + PVS_REQUEST_GRACE_NS));
}

TEST_MAIN(TEST(test_one_stretch), TEST(test_stretches_before_belong_to_their_run),
          TEST(test_the_least_charge), TEST(test_the_emptiest_bucket_bounds),
          TEST(test_what_is_owed_counts_in_each_bucket),
          TEST(test_the_price_shortens_its_own_bucket_alone), TEST(test_the_sheet_bounds),
          TEST(test_no_charge_is_lost), TEST(test_charges_at_once), TEST(test_imagined),
          TEST(test_next_look))
