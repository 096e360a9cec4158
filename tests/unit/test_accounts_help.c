// SPDX-License-Identifier: GPL-2.0-or-later
/* What a vCPU that waits for another one offers, and how that one looks to it. */
#include "boost/accounts.h"

#include "core/relate.h"
#include "core/run.h"

#include "test.h"

#define US NSEC_PER_USEC
#define MS NSEC_PER_MSEC
#define T0 (5 * NSEC_PER_SEC)

enum { WAITER, AWAITED, N };

static struct pvs_vcpu_account vcpus[N];
static struct pvs_domain_account domain;
static struct pvs_cpu_account cpus[PVS_CPUS_MAX];
static struct pvs_bucket_rule cpu_rule = {.burst_ns = 3000 * US, .share_permille = 300};
static const struct accounts accounts = {vcpus, &domain, cpus, &cpu_rule, NULL};

/* The waiter runs on CPU 0, not boosted. The awaited one was preempted on CPU 1. */
static void start(void)
{
	for (size_t i = 0; i < N; i++)
		vcpus[i] = (struct pvs_vcpu_account){
		        .rule = {.burst_ns = 500 * US, .share_permille = 200}, .cpu = (uint32_t)i};
	vcpus[WAITER].in_ns = T0 - MS;
	vcpus[AWAITED].out = PVS_OUT_PREEMPTED;
	vcpus[AWAITED].out_ns = T0 - MS;
	domain =
	        (struct pvs_domain_account){.rule = {.burst_ns = 2000 * US, .share_permille = 500}};
	cpus[0] = cpus[1] = (struct pvs_cpu_account){0};
	account_set_sheets(&accounts, 670000 * US);
}

static struct policy_offer offer(void)
{
	return account_offer(&accounts, WAITER, AWAITED, T0);
}

static void test_the_waiter_offers_its_tokens(void)
{
	start();
	CHECK_U64(offer().payer, WAITER + 1);
	CHECK_INT(offer().tokens_ns, 500 * US);
	vcpus[WAITER].repaid_at_ns = T0 + 400 * US * 5;
	CHECK_INT(offer().tokens_ns, 100 * US);
	/* those of the awaited one do not count */
	vcpus[AWAITED].repaid_at_ns = T0 + NSEC_PER_SEC;
	CHECK_INT(offer().tokens_ns, 100 * US);
	/* a boosted run that is not charged yet */
	vcpus[WAITER].flags = PVS_FLAG_BOOSTED;
	vcpus[WAITER].boosted_at_ns = T0 - 50 * US;
	CHECK_INT(offer().tokens_ns, 50 * US);
}

static void test_else_its_domain_does(void)
{
	start();
	vcpus[WAITER].repaid_at_ns = T0 + 480 * US * 5;
	CHECK_U64(offer().payer, PVS_PAYER_DOMAIN);
	CHECK_INT(offer().tokens_ns, 2000 * US);
	domain.repaid_at_ns = T0 + 1990 * US * 2;
	CHECK_INT(offer().tokens_ns, 10 * US);
}

static void test_what_is_shared_bounds_an_offer(void)
{
	start();
	domain.repaid_at_ns = T0 + 1700 * US * 2;
	CHECK_INT(offer().tokens_ns, 300 * US);
	cpus[0].repaid_at_ns = T0 + NSEC_PER_SEC; /* not where it would run */
	CHECK_INT(offer().tokens_ns, 300 * US);
	cpus[1].repaid_at_ns = T0 + 2850 * US * 1000 / 300;
	CHECK_INT(offer().tokens_ns, 150 * US);
	account_set_sheets(&accounts, 70 * US);
	CHECK_INT(offer().tokens_ns, 70 * US);
}

static void test_a_pulse_is_no_debt_of_its_vcpu(void)
{
	start();
	account_set_payer(&accounts, AWAITED, WAITER + 1, 100 * US);
	account_boosted(&accounts, AWAITED, T0);
	vcpus[AWAITED].in_ns = T0;
	vcpus[AWAITED].repaid_at_ns = T0 + NSEC_PER_SEC; /* it owed before */
	CHECK_U64(account_overdrawn_ns(&accounts, AWAITED, T0 + 90 * US), 0);
	CHECK_U64(account_overdrawn_ns(&accounts, AWAITED, T0 + 130 * US), 30 * US);
	/* the next boost is its own again */
	account_unboosted(&accounts, AWAITED, T0 + 130 * US);
	account_set_payer(&accounts, AWAITED, 0, 0);
	CHECK_U64(vcpus[AWAITED].payer, 0);
}

static struct help_sibling sibling(uint32_t arg)
{
	return account_sibling(&accounts, WAITER, AWAITED, arg, T0);
}

static void test_how_a_sibling_looks(void)
{
	uint32_t spins = pvs_waits_arg(PVS_WAITS_SPINS, 0);
	struct help_sibling seen;

	start();
	seen = sibling(spins);
	CHECK(seen.waits && !seen.named && !seen.sent && !seen.critical && !seen.pending);
	CHECK_U64(seen.vcpu, AWAITED);
	CHECK_U64(seen.waited_ns, MS);
	CHECK(sibling(pvs_waits_arg(PVS_WAITS_NAMED, AWAITED)).named);
	CHECK(!sibling(pvs_waits_arg(PVS_WAITS_NAMED, 7)).named);
	CHECK(!sibling(pvs_waits_arg(PVS_WAITS_SENT, AWAITED)).sent); /* served meanwhile */
	pvs_relate(&vcpus[WAITER], &vcpus[AWAITED], AWAITED, T0 - 10 * US);
	CHECK(sibling(spins).sent);
	vcpus[AWAITED].pending[2] = 1;
	CHECK(sibling(spins).pending);
	/* it runs, or is boosted */
	vcpus[AWAITED].flags = PVS_FLAG_BOOSTED;
	CHECK(!sibling(spins).waits);
	vcpus[AWAITED].flags = 0;
	vcpus[AWAITED].in_ns = T0;
	CHECK(!sibling(spins).waits);
}

static void test_critical_sections(void)
{
	uint32_t spins = pvs_waits_arg(PVS_WAITS_SPINS, 0);

	start();
	vcpus[AWAITED].request.words[2] = PVSCHED_CS_PREEMPT;
	vcpus[AWAITED].request.read_ns = T0 - MS;
	CHECK(!sibling(spins).critical); /* without an agent the word means nothing */
	vcpus[AWAITED].request.agent = 1;
	CHECK(sibling(spins).critical);
	vcpus[AWAITED].request.read_ns = T0 - PVSCHED_REQUEST_LEASE_NS;
	CHECK(!sibling(spins).critical);
}

static void test_terms(void)
{
	struct account_terms terms = {.profile = PROFILE_THROUGHPUT_INIT};
	const uint32_t both = PVS_FLAG_REPORT_WAITS | PVS_FLAG_RELATES;

	start();
	account_set_terms(&accounts, WAITER, &terms);
	CHECK_U64(vcpus[WAITER].flags & both, both);
	terms.profile.help = PROFILE_HELP_RELAXED;
	account_set_terms(&accounts, WAITER, &terms);
	CHECK_U64(vcpus[WAITER].flags & both, PVS_FLAG_REPORT_WAITS);
	terms.profile.mode = PROFILE_OBSERVE;
	account_set_terms(&accounts, WAITER, &terms);
	CHECK_U64(vcpus[WAITER].flags & both, 0);
}

TEST_MAIN(TEST(test_the_waiter_offers_its_tokens), TEST(test_else_its_domain_does),
          TEST(test_what_is_shared_bounds_an_offer), TEST(test_a_pulse_is_no_debt_of_its_vcpu),
          TEST(test_how_a_sibling_looks), TEST(test_critical_sections), TEST(test_terms))
