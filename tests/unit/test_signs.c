// SPDX-License-Identifier: GPL-2.0-or-later
/* Interrupts that wait, spinning, helpers that wait: what is worth an event. Needs only src/core/.
 */
#include "core/helper.h"
#include "core/signs.h"

#include "test.h"

#define US 1000ULL
#define T0 (5 * 1000000000ULL)

static void test_one_interrupt_of_each_wait(void)
{
	struct pvs_vcpu_account vcpu = {
	        .flags = PVS_FLAG_REPORT_INTERRUPT, .out = PVS_OUT_PREEMPTED, .out_ns = T0};

	CHECK(pvs_interrupt_is_first(&vcpu));
	CHECK(!pvs_interrupt_is_first(&vcpu));
	CHECK_U64(vcpu.deliveries_waiting, 1);
	CHECK(pvs_interrupt_is_told(&vcpu, T0 + 10));
	/* the next wait, too soon to be told of */
	vcpu.out_ns = T0 + 100;
	CHECK(pvs_interrupt_is_first(&vcpu));
	CHECK(!pvs_interrupt_is_told(&vcpu, T0 + 10 + PVS_INTERRUPT_TOLD_NS - 1));
	CHECK(pvs_interrupt_is_told(&vcpu, T0 + 10 + PVS_INTERRUPT_TOLD_NS));
	vcpu.interrupts_from_ns = T0 + 100 * PVS_INTERRUPT_TOLD_NS;
	CHECK(!pvs_interrupt_is_told(&vcpu, vcpu.interrupts_from_ns - 1));
	CHECK(pvs_interrupt_is_told(&vcpu, vcpu.interrupts_from_ns));
	vcpu.flags = 0;
	CHECK(!pvs_interrupt_is_told(&vcpu, 2 * vcpu.interrupts_from_ns));
}

static void test_no_interrupt_waits_with_a_vcpu_that_does_not(void)
{
	struct pvs_vcpu_account vcpu = {.out = PVS_OUT_PREEMPTED, .out_ns = T0, .in_ns = T0 + 1};

	CHECK(!pvs_interrupt_is_first(&vcpu)); /* it runs */
	vcpu.in_ns = 0;
	vcpu.out = PVS_OUT_HALTED;
	CHECK(!pvs_interrupt_is_first(&vcpu)); /* it sleeps */
	vcpu.wake_ns = T0 + 5;
	vcpu.flags = PVS_FLAG_BOOSTED;
	CHECK(!pvs_interrupt_is_first(&vcpu));
	vcpu.flags = 0;
	CHECK(pvs_interrupt_is_first(&vcpu));
}

static void test_the_third_sign_of_a_boosted_run(void)
{
	struct pvs_vcpu_account vcpu = {.in_ns = T0};

	for (int i = 0; i < 5; i++)
		CHECK(!pvs_spin_is_told(&vcpu));
	vcpu.flags = PVS_FLAG_BOOSTED;
	for (int i = 1; i < PVS_SPINS; i++)
		CHECK(!pvs_spin_is_told(&vcpu));
	CHECK(pvs_spin_is_told(&vcpu));
	CHECK(!pvs_spin_is_told(&vcpu)); /* once a run */
	vcpu.in_ns = T0 + 1;
	for (int i = 1; i < PVS_SPINS; i++)
		CHECK(!pvs_spin_is_told(&vcpu));
	CHECK(pvs_spin_is_told(&vcpu));
	CHECK_U64(vcpu.spins, 5 + PVS_SPINS + 1 + PVS_SPINS);
}

static void test_a_helper_waits_behind_what_was_charged(void)
{
	struct pvs_helper_account helper = {};
	struct pvs_vcpu_account vcpu = {.in_ns = T0 + 500 * US};

	pvs_helper_wait_begin(&helper, 3, T0);
	pvs_helper_charge(&helper, 2, T0 + 100 * US, 50 * US); /* elsewhere */
	CHECK_U64(helper.behind_ns, 0);
	pvs_helper_charge(&helper, 3, T0 + 100 * US, 50 * US);
	pvs_helper_charge(&helper, 3, T0 + 300 * US, 400 * US); /* no longer than it waits */
	CHECK_U64(helper.behind_ns, 350 * US);
	CHECK_U64(pvs_helper_behind(&helper, &vcpu, T0 + 600 * US), 450 * US);
	CHECK_U64(pvs_helper_patience(&helper, &vcpu, T0 + 600 * US), 550 * US);
	pvs_helper_wait_begin(&helper, 4, T0 + 400 * US); /* moved: the same wait */
	CHECK_U64(helper.since_ns, T0);
	CHECK_U64(pvs_helper_patience(&helper, &vcpu, T0 + 1150 * US), 0);
	CHECK_U64(pvs_helper_patience(&helper, &vcpu, T0 + 1200 * US), 0);
	pvs_helper_wait_end(&helper, T0 + 1300 * US);
	CHECK_U64(helper.wait_max_ns, 1300 * US);
	CHECK_U64(helper.behind_max_ns, 350 * US);
	CHECK_U64(helper.waits, 1);
	pvs_helper_charge(&helper, 4, T0 + 1400 * US, 50 * US);
	CHECK_U64(helper.behind_ns, 350 * US);
	pvs_helper_wait_begin(&helper, 4, T0 + 1500 * US);
	CHECK_U64(helper.behind_ns, 0);
}

/* Once, however often it is looked at and moved; and the next wait once again. */
static void test_one_report_of_each_wait(void)
{
	struct pvs_helper_account helper = {};

	for (unsigned int wait = 1; wait <= 3; wait++) {
		uint64_t since_ns = T0 + wait * US;

		pvs_helper_wait_begin(&helper, 3, since_ns);
		CHECK(!pvs_helper_is_told(helper.told, helper.since_ns));
		CHECK(pvs_helper_tell(&helper, helper.since_ns));
		for (uint32_t cpu = 0; cpu < 5; cpu++) {
			CHECK(pvs_helper_is_told(helper.told, helper.since_ns));
			CHECK(!pvs_helper_tell(&helper, helper.since_ns));
			pvs_helper_wait_begin(&helper, cpu, since_ns + 2); /* moved */
		}
		CHECK_INT(helper.sheds, wait);
		pvs_helper_wait_end(&helper, since_ns + 10);
	}
	/* whatever the low half of its time is, a wait has a name */
	helper.told = 0;
	pvs_helper_wait_begin(&helper, 3, UINT64_C(5) << 32);
	CHECK(!pvs_helper_is_told(helper.told, helper.since_ns));
	CHECK(pvs_helper_tell(&helper, helper.since_ns));
	CHECK(!pvs_helper_tell(&helper, helper.since_ns));
}

TEST_MAIN(TEST(test_one_interrupt_of_each_wait),
          TEST(test_no_interrupt_waits_with_a_vcpu_that_does_not),
          TEST(test_the_third_sign_of_a_boosted_run),
          TEST(test_a_helper_waits_behind_what_was_charged), TEST(test_one_report_of_each_wait))
