// SPDX-License-Identifier: GPL-2.0-or-later
/* Which vCPU waits for which, and what a pulse costs which bucket. Needs only src/core/. */
#include "core/relate.h"
#include "core/run.h"

#include "test.h"

#define US 1000ULL
#define MS 1000000ULL
#define T0 (5 * 1000000000ULL)

#define VECTOR   0xfb
#define RECEIVER 2

/* A sender that runs, and a receiver that was preempted at T0. */
static struct pvs_vcpu_account sender, receiver, third;

static void start(void)
{
	sender = (struct pvs_vcpu_account){.flags = PVS_FLAG_REPORT_WAITS, .in_ns = T0};
	receiver = third = (struct pvs_vcpu_account){.out = PVS_OUT_PREEMPTED, .out_ns = T0};
}

static void test_one_receiver_is_awaited(void)
{
	start();
	pvs_relate_sends(&sender, VECTOR);
	CHECK(!pvs_relate_received(&sender, &receiver, RECEIVER, VECTOR - 1, T0 + US));
	CHECK(!pvs_relate_received(&sender, &sender, 1, VECTOR, T0 + US));
	CHECK(pvs_relate_received(&sender, &receiver, RECEIVER, VECTOR, T0 + US));
	CHECK_U64(sender.awaits, RECEIVER);
	CHECK_U64(sender.ipis, 1);
	CHECK(pvs_relate_awaits(&sender, &receiver, T0 + 2 * US));
	/* a second one: none is awaited, and it was one interrupt */
	CHECK(!pvs_relate_received(&sender, &third, 3, VECTOR, T0 + 2 * US));
	CHECK(!pvs_relate_awaits(&sender, &receiver, T0 + 3 * US));
	CHECK_U64(sender.ipis, 1);
}

static void test_only_fixed_interrupts_to_others_of_the_domain(void)
{
	static const __u32 others[] = {VECTOR | 0x100, VECTOR | 0x400, VECTOR | PVS_ICR_SELF};

	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
		start();
		pvs_relate_sends(&sender, others[i]);
		CHECK(!pvs_relate_received(&sender, &receiver, RECEIVER, VECTOR, T0));
	}
	start();
	receiver.domain = 1;
	pvs_relate_sends(&sender, VECTOR);
	CHECK(!pvs_relate_received(&sender, &receiver, RECEIVER, VECTOR, T0));
	CHECK_U64(sender.ipis, 0);
}

static void test_served_by_its_end(void)
{
	start();
	pvs_relate_served(&receiver, T0 + US); /* before any was sent */
	CHECK_U64(receiver.served_ns, 0);
	pvs_relate(&sender, &receiver, RECEIVER, T0 + 2 * US);
	CHECK(pvs_relate_awaits(&sender, &receiver, T0 + 3 * US));
	pvs_relate_served(&receiver, T0 + 3 * US);
	CHECK(!pvs_relate_awaits(&sender, &receiver, T0 + 4 * US));
}

static void test_served_by_a_run(void)
{
	start();
	pvs_relate(&sender, &receiver, RECEIVER, T0 + US);
	receiver.in_ns = T0 + 10 * US;
	CHECK(pvs_relate_awaits(&sender, &receiver, receiver.in_ns + PVS_SERVED_NS - 1));
	CHECK(!pvs_relate_awaits(&sender, &receiver, receiver.in_ns + PVS_SERVED_NS));
	/* it was switched out too soon */
	pvs_relate_ran(&receiver, receiver.in_ns, receiver.in_ns + PVS_SERVED_NS - 1);
	CHECK_U64(receiver.served_ns, 0);
	pvs_relate_ran(&receiver, receiver.in_ns, receiver.in_ns + PVS_SERVED_NS);
	receiver.in_ns = 0;
	CHECK(!pvs_relate_awaits(&sender, &receiver, T0 + MS));
	/* what was sent in the middle of a run is served by the rest of it alone */
	start();
	pvs_relate(&sender, &receiver, RECEIVER, T0 + 100 * US);
	pvs_relate_ran(&receiver, T0, T0 + 110 * US);
	CHECK(pvs_relate_awaits(&sender, &receiver, T0 + 111 * US));
}

static void test_old_relations_are_over(void)
{
	start();
	pvs_relate(&sender, &receiver, RECEIVER, T0);
	CHECK(pvs_relate_awaits(&sender, &receiver, T0 + PVS_AWAITS_NS - 1));
	CHECK(!pvs_relate_awaits(&sender, &receiver, T0 + PVS_AWAITS_NS));
}

static void test_told_once_a_wait_and_not_too_often(void)
{
	start();
	CHECK(pvs_waits_for_is_told(&sender, &receiver, T0 + MS));
	CHECK(!pvs_waits_for_is_told(&sender, &receiver, T0 + 2 * MS)); /* the same wait */
	receiver.out_ns = T0 + MS;
	CHECK(!pvs_waits_for_is_told(&sender, &receiver, T0 + MS + PVS_WAITS_TOLD_NS - 1));
	CHECK(pvs_waits_for_is_told(&sender, &receiver, T0 + MS + PVS_WAITS_TOLD_NS));
	/* it runs, sleeps, or is boosted: nothing can be done for it */
	third.in_ns = T0;
	CHECK(!pvs_waits_for_is_told(&sender, &third, T0 + 9 * MS));
	third.in_ns = 0;
	third.out = PVS_OUT_HALTED;
	CHECK(!pvs_waits_for_is_told(&sender, &third, T0 + 9 * MS));
	third.out = PVS_OUT_PREEMPTED;
	third.flags = PVS_FLAG_BOOSTED;
	CHECK(!pvs_waits_for_is_told(&sender, &third, T0 + 9 * MS));
	third.flags = 0;
	sender.waits_from_ns = T0 + 9 * MS;
	CHECK(!pvs_waits_for_is_told(&sender, &third, T0 + 9 * MS - 1));
	CHECK(pvs_waits_for_is_told(&sender, &third, T0 + 9 * MS));
}

static void test_arguments(void)
{
	__u32 arg = pvs_waits_arg(PVS_WAITS_NAMED, PVS_VCPUS_MAX - 1);

	CHECK_INT(pvs_waits_how(arg), PVS_WAITS_NAMED);
	CHECK_U64(pvs_waits_slot(arg), PVS_VCPUS_MAX - 1);
}

static void test_destinations(void)
{
	static const struct {
		__u32 icr, high, id;
	} rows[] = {
	        {0, 3U << 24, 3},                                  /* xAPIC, physical */
	        {0, 0xffU << 24, PVS_APIC_ID_NONE},                /* to all */
	        {PVS_ICR_LOGICAL, 4U << 24, 2},                    /* flat: bit 2 */
	        {PVS_ICR_LOGICAL, 6U << 24, PVS_APIC_ID_NONE},     /* two of them */
	        {0, 300, 300},                                     /* x2APIC, physical */
	        {0, 0, 0},                                         /* the first one of either */
	        {0, ~0U, PVS_APIC_ID_NONE},                        /* to all */
	        {PVS_ICR_LOGICAL, 2U << 16 | 1U << 5, 37},         /* cluster 2, bit 5 */
	        {PVS_ICR_LOGICAL, 2U << 16 | 3, PVS_APIC_ID_NONE}, /* two of them */
	        {PVS_ICR_LOGICAL, 2U << 16, PVS_APIC_ID_NONE},     /* and none */
	        {PVS_ICR_SHORTHAND, 3U << 24, PVS_APIC_ID_NONE},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		CHECK_U64(pvs_icr_destination(rows[i].icr, rows[i].high), rows[i].id);
}

/* ---- what a pulse costs ---- */

static struct pvs_domain_account domain;
static struct pvs_cpu_account cpu;
static struct pvs_bucket_rule cpu_rule;

/* The receiver runs since T0, in a pulse of 100 us that the sender pays for. */
static struct pvs_buckets pulse(void)
{
	static const struct pvs_bucket_rule rule = {.burst_ns = 500 * US, .share_permille = 200};

	start();
	sender.rule = receiver.rule = rule;
	receiver.flags = PVS_FLAG_BOOSTED;
	receiver.in_ns = receiver.boosted_at_ns = T0;
	receiver.repaid_at_ns = T0 + 1000 * MS; /* it has no tokens of its own */
	receiver.payer = 1;
	receiver.pulse_end_ns = receiver.used_ns + 100 * US;
	domain.rule = (struct pvs_bucket_rule){.burst_ns = 2000 * US, .share_permille = 500};
	domain.repaid_at_ns = 0;
	cpu = (struct pvs_cpu_account){.sheet = {.limit_ns = 670000 * US}};
	cpu_rule = (struct pvs_bucket_rule){.burst_ns = 3000 * US, .share_permille = 300};
	return (struct pvs_buckets){&receiver, &domain, &cpu, &cpu_rule, &sender};
}

static void test_a_pulse_lasts_as_long_as_it_was_given(void)
{
	struct pvs_buckets buckets = pulse();
	__u32 which;

	CHECK_INT(pvs_buckets_left(&buckets, T0, T0, &which), 100 * US);
	CHECK_U64(which, PVS_BUCKET_PULSE);
	CHECK_INT(pvs_buckets_left(&buckets, T0, T0 + 60 * US, &which), 40 * US);
	/* a run that is charged already */
	receiver.used_ns += 70 * US;
	CHECK_INT(pvs_buckets_left(&buckets, T0, T0, &which), 30 * US);
}

static void test_the_payer_bounds_a_pulse(void)
{
	struct pvs_buckets buckets = pulse();
	__u32 which;

	sender.repaid_at_ns = T0 + (500 - 40) * US * 5; /* it has 40 us */
	CHECK_INT(pvs_buckets_left(&buckets, T0, T0, &which), 40 * US);
	CHECK_U64(which, PVS_BUCKET_VCPU);
	/* the domain alone */
	receiver.payer = PVS_PAYER_DOMAIN;
	CHECK_INT(pvs_buckets_left(&buckets, T0, T0, &which), 100 * US);
	domain.repaid_at_ns = T0 + (2000 - 30) * US * 2;
	CHECK_INT(pvs_buckets_left(&buckets, T0, T0, &which), 30 * US);
	CHECK_U64(which, PVS_BUCKET_DOMAIN);
}

static void test_a_boost_of_its_own_has_no_payer(void)
{
	struct pvs_buckets buckets = pulse();
	__u32 which;

	receiver.payer = 0;
	CHECK(pvs_buckets_left(&buckets, T0, T0, &which) < 0);
	CHECK(pvs_run_payer(&receiver, &sender) == &receiver);
	/* a slot that passed to another domain pays nothing */
	receiver.payer = 1;
	sender.domain = 3;
	CHECK(pvs_run_payer(&receiver, &sender) == NULL);
}

TEST_MAIN(TEST(test_one_receiver_is_awaited),
          TEST(test_only_fixed_interrupts_to_others_of_the_domain), TEST(test_served_by_its_end),
          TEST(test_served_by_a_run), TEST(test_old_relations_are_over),
          TEST(test_told_once_a_wait_and_not_too_often), TEST(test_arguments),
          TEST(test_destinations), TEST(test_a_pulse_lasts_as_long_as_it_was_given),
          TEST(test_the_payer_bounds_a_pulse), TEST(test_a_boost_of_its_own_has_no_payer))
