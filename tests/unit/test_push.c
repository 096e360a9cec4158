// SPDX-License-Identifier: GPL-2.0-or-later
/* Where a vCPU can be pushed, with the calling thread as booster and as vCPU. */
#include "boost/push.h"

#include <unistd.h>

#include "boost/sched.h"

#include "test.h"

#define US NSEC_PER_USEC
#define T0 (5 * NSEC_PER_SEC)

static struct pvs_vcpu_account vcpu;
static struct pvs_domain_account domain;
static struct pvs_cpu_account cpus[PVS_CPUS_MAX];
static struct pvs_bucket_rule cpu_rule = {.burst_ns = 3000 * US, .share_permille = 300};
static const struct accounts accounts = {&vcpu, &domain, cpus, &cpu_rule, NULL};

static struct affinity affinity;
static struct push push;

/* A vCPU on the first CPU of two or more, all of which have tokens. False: there is only one. */
static bool start(void)
{
	struct cpu_set_bits here;

	CHECK_INT(sched_get_cpus(0, &here), 0);
	affinity = (struct affinity){0};
	push = (struct push){.accounts = &accounts, .affinity = &affinity};
	memset(cpus, 0, sizeof(cpus));
	account_set_sheets(&accounts, 670 * NSEC_PER_MSEC);
	vcpu = (struct pvs_vcpu_account){
	        .tid = (uint32_t)gettid(),
	        .cpu = cpu_set_bits_next(&here, 0),
	        .rule = {.burst_ns = 500 * US, .share_permille = 200},
	};
	return cpu_set_bits_count(&here) > 1;
}

/* A CPU on which nothing was to be pushed for a second may be any other thread's now. */
static void test_first_look(void)
{
	if (!start())
		TEST_SKIP("there is only one CPU");
	CHECK(!push_has_room(&push, 0, T0));
	CHECK(push_has_room(&push, 0, T0 + PUSH_WINDOW_NS));
	CHECK(push_has_room(&push, 0, T0 + PUSH_WINDOW_NS + NSEC_PER_SEC));
	CHECK(!push_has_room(&push, 0, T0 + PUSH_WINDOW_NS + 2 * NSEC_PER_SEC + 1));
}

/* Judged by whole windows: real-time threads of others had more than a tenth of the last one. */
static void test_real_time_threads_of_others(void)
{
	struct pvs_cpu_account *cpu;

	if (!start())
		TEST_SKIP("there is only one CPU");
	cpu = &cpus[vcpu.cpu];
	push_has_room(&push, 0, T0);
	cpu->foreign_ns += PUSH_WINDOW_NS / 10;
	CHECK(push_has_room(&push, 0, T0 + PUSH_WINDOW_NS));
	cpu->foreign_ns += PUSH_WINDOW_NS / 10 + 1000;
	CHECK(push_has_room(&push, 0, T0 + 2 * PUSH_WINDOW_NS - 1));
	CHECK(!push_has_room(&push, 0, T0 + 2 * PUSH_WINDOW_NS));
	CHECK(push_has_room(&push, 0, T0 + 3 * PUSH_WINDOW_NS));
}

static void test_no_cpu_has_tokens(void)
{
	if (!start())
		TEST_SKIP("there is only one CPU");
	push_has_room(&push, 0, T0);
	for (unsigned int i = 0; i < PVS_CPUS_MAX; i++)
		cpus[i].repaid_at_ns = T0 + NSEC_PER_SEC;
	CHECK(!push_has_room(&push, 0, T0 + PUSH_WINDOW_NS));
	cpus[vcpu.cpu].repaid_at_ns = 0; /* its own does not count */
	CHECK(!push_has_room(&push, 0, T0 + PUSH_WINDOW_NS));
	/* nor is one without room on its sheet any use */
	for (unsigned int i = 0; i < PVS_CPUS_MAX; i++)
		cpus[i].repaid_at_ns = 0;
	CHECK(push_has_room(&push, 0, T0 + PUSH_WINDOW_NS));
	account_set_sheets(&accounts, 499 * US);
	CHECK(!push_has_room(&push, 0, T0 + PUSH_WINDOW_NS));
}

/* host.booster_cpus may keep the booster from the CPU. */
static void test_booster_is_kept_away(void)
{
	struct cpu_set_bits before, others, missing;

	if (!start())
		TEST_SKIP("there is only one CPU");
	CHECK_INT(sched_get_cpus(0, &before), 0);
	push_has_room(&push, 0, T0);
	others = CPU_SET_BITS_NULL;
	cpu_set_bits_add(&others, cpu_set_bits_next(&before, vcpu.cpu + 1));
	CHECK_INT(affinity_set_home(&affinity, &others, false, &missing), 0);
	CHECK(!push_has_room(&push, 0, T0 + PUSH_WINDOW_NS));
	CHECK_INT(affinity_set_home(&affinity, &before, true, &missing), 0);
	CHECK(push_has_room(&push, 0, T0 + PUSH_WINDOW_NS));
}

/* The home is found from the affinity that the thread has now. */
static void test_affinity_is_changed_by_others(void)
{
	struct cpu_set_bits before, others = CPU_SET_BITS_NULL, missing;

	if (!start())
		TEST_SKIP("there is only one CPU");
	CHECK_INT(sched_get_cpus(0, &before), 0);
	CHECK(affinity_may_visit(&affinity, vcpu.cpu));
	cpu_set_bits_add(&others, cpu_set_bits_next(&before, vcpu.cpu + 1));
	CHECK_INT(sched_set_cpus(0, &others, &missing), 0);
	CHECK(!affinity_may_visit(&affinity, vcpu.cpu));
	CHECK_INT(sched_set_cpus(0, &before, &missing), 0);
	CHECK(affinity_may_visit(&affinity, vcpu.cpu));
}

TEST_MAIN({"first_look", test_first_look},
          {"real_time_threads_of_others", test_real_time_threads_of_others},
          {"no_cpu_has_tokens", test_no_cpu_has_tokens},
          {"booster_is_kept_away", test_booster_is_kept_away},
          {"affinity_is_changed_by_others", test_affinity_is_changed_by_others})
