// SPDX-License-Identifier: GPL-2.0-or-later
/* What booster and tracer tell each other through a vCPU's account. */
#include "boost/accounts.h"

#include "core/helper.h"
#include "core/run.h"

#include "test.h"

#define US NSEC_PER_USEC
#define T0 (5 * NSEC_PER_SEC)

static struct pvs_vcpu_account vcpu;
static struct pvs_domain_account domain;
static struct pvs_cpu_account cpus[PVS_CPUS_MAX];
static struct pvs_bucket_rule cpu_rule = {.burst_ns = 3000 * US, .share_permille = 300};
static struct pvs_helper_account helpers[PVS_HELPERS_OF_DOMAIN];
static const struct accounts accounts = {&vcpu, &domain, cpus, &cpu_rule, helpers};

/* It runs since T0, boosted or not. */
static void start(void)
{
	vcpu = (struct pvs_vcpu_account){
	        .rule = {.burst_ns = 500 * US, .share_permille = 200},
	        .in_ns = T0,
	};
	domain = (struct pvs_domain_account){
	        .rule = {.burst_ns = 2000 * US, .share_permille = 500},
	};
	cpus[0] = (struct pvs_cpu_account){0};
	account_set_sheets(&accounts, 670000 * US);
}

/* What the tracer would charge if it were switched out now, but for the least. */
static uint64_t span(uint64_t now_ns)
{
	struct pvs_run run = pvs_run_of(&vcpu, vcpu.in_ns, now_ns);

	return run.earlier_ns + run.last_ns;
}

static int64_t tokens(uint64_t now_ns)
{
	struct policy_facts facts;

	account_facts(&accounts, 0, now_ns, &facts);
	return facts.tokens_ns;
}

static void test_boosted_once(void)
{
	start();
	account_boosted(&accounts, 0, T0 + 100 * US);
	CHECK_U64(vcpu.boosted_at_ns, T0 + 100 * US);
	CHECK_INT(tokens(T0 + 130 * US), 470 * US);
}

/* Given back and boosted again in one run: all of it is charged, and what was between is not. */
/* A thread that is still boosted is charged to its domain, whatever else knows of that. */
static void test_domain_is_boosted(void)
{
	static struct pvs_vcpu_account all[PVS_VCPUS_MAX];
	const struct accounts many = {.vcpus = all};

	all[PVS_VCPUS_MAX - 1].domain = 7;
	CHECK(!account_domain_is_boosted(&many, 7));
	account_boosted(&many, PVS_VCPUS_MAX - 1, 5);
	CHECK(account_domain_is_boosted(&many, 7));
	CHECK(!account_domain_is_boosted(&many, 0));
	account_unboosted(&many, PVS_VCPUS_MAX - 1, 6);
	CHECK(!account_domain_is_boosted(&many, 7));
}

static void test_each_stretch_of_a_run_is_owed(void)
{
	start();
	account_boosted(&accounts, 0, T0 + 100 * US);
	account_unboosted(&accounts, 0, T0 + 150 * US);
	/* what came back since is its own: 150 us at 20 % */
	CHECK_INT(tokens(T0 + 300 * US), 480 * US);
	account_boosted(&accounts, 0, T0 + 300 * US);
	CHECK_U64(span(T0 + 300 * US), 50 * US);
	CHECK_INT(tokens(T0 + 310 * US), 470 * US + 2 * US);
	account_unboosted(&accounts, 0, T0 + 320 * US);
	account_boosted(&accounts, 0, T0 + 400 * US);
	CHECK_U64(span(T0 + 410 * US), 80 * US);
}

/* What was boosted in the run before was charged when that ended. */
static void test_another_run_owes_nothing(void)
{
	start();
	account_boosted(&accounts, 0, T0 + 100 * US);
	account_unboosted(&accounts, 0, T0 + 150 * US);
	vcpu.in_ns = T0 + 200 * US;
	account_boosted(&accounts, 0, T0 + 210 * US);
	CHECK_U64(span(T0 + 220 * US), 10 * US);
	vcpu.in_ns = 0; /* and of one that does not run: from its next switch-in */
	account_unboosted(&accounts, 0, T0 + 230 * US);
	account_boosted(&accounts, 0, T0 + 240 * US);
	CHECK_U64(vcpu.boosted_at_ns, T0 + 240 * US);
}

/* Tracer and booster read the page at different times. */
static void test_who_saw_it_first_knows_when(void)
{
	struct pvs_request request = {.words = {7}, .read_ns = T0, .expected_ns = T0 + 900 * US};

	start();
	vcpu.request.words[0] = 7;
	vcpu.request.read_ns = T0 + 10;
	vcpu.request.changed_ns = T0 + 10;
	vcpu.request.expected_ns = T0 + 400 * US;
	vcpu.request.urgency = PVSCHED_URGENCY_ORDINARY;
	account_request(&accounts, 0, &request);
	CHECK_U64(request.read_ns, T0 + 10);
	CHECK_U64(request.expected_ns, T0 + 900 * US);
	vcpu.request.words[0] = 8; /* another request: the old expectation is none */
	vcpu.request.read_ns = T0 + 20;
	account_request(&accounts, 0, &request);
	CHECK_U64(request.expected_ns, T0 + 400 * US);
	/* an agent's signs of life */
	vcpu.request.pulse = 5;
	vcpu.request.lived_ns = 30 * US;
	vcpu.request.read_ns = T0 + 30;
	account_request(&accounts, 0, &request);
	CHECK_U64(request.pulse, 5);
	CHECK_U64(request.lived_ns, 30 * US);
}

static void test_run_time(void)
{
	start();
	vcpu.run_ns = 700 * US;
	vcpu.in_ns = T0 + 20 * US;
	CHECK_U64(account_run_ns(&accounts, 0, T0 + 50 * US), 730 * US);
	CHECK_U64(account_run_ns(&accounts, 0, T0 + 10 * US), 700 * US); /* a look from before */
	vcpu.in_ns = 0;
	CHECK_U64(account_run_ns(&accounts, 0, T0 + 50 * US), 700 * US);
}

/* What of the run that goes on it waited, and what was charged before. */
static void test_helpers_behind(void)
{
	struct policy_facts facts;

	start();
	account_boosted(&accounts, 0, T0 + 100 * US);
	account_facts(&accounts, 0, T0 + 900 * US, &facts);
	CHECK(!facts.helper_waits);
	vcpu.cpu = 3;
	domain.helpers_waiting = 0x80000011; /* the first sleeps by now, the fifth is elsewhere */
	helpers[0] = (struct pvs_helper_account){.cpu = 3, .behind_ns = 900 * US};
	helpers[4] = (struct pvs_helper_account){.cpu = 2, .since_ns = T0, .behind_ns = 950 * US};
	helpers[31] = (struct pvs_helper_account){.cpu = 3, .since_ns = T0 + 300 * US};
	account_facts(&accounts, 0, T0 + 900 * US, &facts);
	CHECK(facts.helper_waits);
	CHECK_U64(facts.helper_behind_ns, 600 * US);
	helpers[31].behind_ns = 50 * US;
	helpers[31].since_ns = T0; /* before it was boosted it was in nobody's way */
	account_facts(&accounts, 0, T0 + 900 * US, &facts);
	CHECK_U64(facts.helper_behind_ns, 850 * US);
	account_unboosted(&accounts, 0, T0 + 500 * US);
	account_facts(&accounts, 0, T0 + 900 * US, &facts);
	CHECK_U64(facts.helper_behind_ns, 450 * US);
	vcpu.in_ns = 0;
	account_facts(&accounts, 0, T0 + 900 * US, &facts);
	CHECK_U64(facts.helper_behind_ns, 50 * US);
	/* it was reported: too long, whatever is charged of it; the wait before was, too */
	helpers[31].told = pvs_helper_wait_name(T0);
	account_facts(&accounts, 0, T0 + 900 * US, &facts);
	CHECK_U64(facts.helper_behind_ns, PVS_HELPER_WAIT_NS);
	helpers[31].since_ns = T0 + 800 * US;
	account_facts(&accounts, 0, T0 + 900 * US, &facts);
	CHECK_U64(facts.helper_behind_ns, 50 * US);
}

/* One that follows: what it waited itself is not behind it, and the tracer is told of it. */
static void test_follower(void)
{
	const struct account_terms terms = {.helper = 32,
	                                    .profile = {"x", PROFILE_BOOST, 100, 300 * US}};
	struct policy_facts facts;

	start();
	account_set_terms(&accounts, 0, &terms);
	CHECK_INT(vcpu.helper, 32);
	domain.helpers_waiting = 0x80000001;
	helpers[0] = (struct pvs_helper_account){.since_ns = T0, .behind_ns = 100 * US};
	helpers[31] = (struct pvs_helper_account){.since_ns = T0, .behind_ns = 900 * US};
	account_facts(&accounts, 0, T0 + 10 * US, &facts);
	CHECK_U64(facts.helper_behind_ns, 100 * US);
	CHECK(!facts.steady);
	vcpu.work.most_ns = 50 * US;
	vcpu.rhythm = (struct pvs_rhythm){.woken_ns = T0, .period_ns = 1000 * US};
	account_facts(&accounts, 0, T0 + 10 * US, &facts);
	CHECK(facts.steady);
	vcpu.helper = 0;
	account_facts(&accounts, 0, T0 + 10 * US, &facts);
	CHECK(!facts.steady);
	account_report(&accounts, 0, &(struct policy_view){.wants_waits = true});
	CHECK(vcpu.flags & PVS_FLAG_REPORT_HELPER_WAITS);
	account_report(&accounts, 0, &(struct policy_view){.wants_waits = false});
	CHECK(!(vcpu.flags & PVS_FLAG_REPORT_HELPER_WAITS));
}

/* An interrupt is of the wait in which it came, and of no other. */
static void test_interrupted(void)
{
	struct policy_facts facts;

	start();
	vcpu.in_ns = 0;
	vcpu.out = PVS_OUT_PREEMPTED;
	vcpu.out_ns = T0 + 10;
	account_facts(&accounts, 0, T0 + 20, &facts);
	CHECK(!facts.interrupted);
	vcpu.interrupt_for_ns = T0 + 10;
	account_facts(&accounts, 0, T0 + 20, &facts);
	CHECK(facts.interrupted);
	vcpu.in_ns = T0 + 30; /* it runs */
	account_facts(&accounts, 0, T0 + 40, &facts);
	CHECK(!facts.interrupted);
	vcpu.in_ns = 0; /* and sleeps, and was woken */
	vcpu.out = PVS_OUT_HALTED;
	vcpu.out_ns = T0 + 50;
	vcpu.wake_ns = T0 + 60;
	account_facts(&accounts, 0, T0 + 70, &facts);
	CHECK(!facts.interrupted);
	vcpu.interrupt_for_ns = T0 + 60;
	account_facts(&accounts, 0, T0 + 70, &facts);
	CHECK(facts.interrupted);
}

/* Whether a CPU has a burst for it, whatever it has had itself. */
static void test_room(void)
{
	start();
	vcpu.repaid_at_ns = T0 + 100000 * US;
	CHECK(account_has_room(&accounts, 0, 1, T0));
	cpus[1].repaid_at_ns = T0 + 9000 * US; /* 2,700 us are owed */
	CHECK(!account_has_room(&accounts, 0, 1, T0));
	CHECK(!account_has_room(&accounts, 0, 1, T0 + 600 * US));
	CHECK(account_has_room(&accounts, 0, 1, T0 + 700 * US));
	CHECK(account_has_room(&accounts, 0, 2, T0));
	cpus[1].repaid_at_ns = 0;
}

/* Told to be out of tokens, it is watched anew, and still charged for what it owes. */
static void test_watched_again(void)
{
	struct policy_facts facts;

	start();
	account_boosted(&accounts, 0, T0 + 100 * US);
	vcpu.watched_ns = vcpu.in_ns;
	account_facts(&accounts, 0, T0 + 200 * US, &facts);
	CHECK(facts.watched);
	vcpu.exhausted_at_ns = T0 + 200 * US;
	account_watch_again(&accounts, 0);
	CHECK_U64(vcpu.exhausted_at_ns, 0);
	account_facts(&accounts, 0, T0 + 200 * US, &facts);
	CHECK(!facts.watched); /* its deadline has fired */
	CHECK_U64(vcpu.boosted_at_ns, T0 + 100 * US);
	CHECK(vcpu.flags & PVS_FLAG_BOOSTED);
}

/* What the policy wants to be told, and nothing of what it does not. */
static void test_report(void)
{
	struct policy_view view = {.wants_interrupt = true,
	                           .wants_urgent = true,
	                           .boosts_total = 9,
	                           .denied_sum = 10,
	                           .grace_ns = 7,
	                           .interrupts_from_ns = 8};
	const uint32_t kept = PVS_FLAG_KVM | PVS_FLAG_REPORT_HALTED;

	start();
	vcpu.flags = kept | PVS_FLAG_REPORT_ORDINARY;
	account_report(&accounts, 0, &view);
	CHECK_U64(vcpu.flags, kept | PVS_FLAG_REPORT_URGENT | PVS_FLAG_REPORT_INTERRUPT);
	CHECK_U64(vcpu.request_grace_ns, 7);
	CHECK_U64(vcpu.interrupts_from_ns, 8);
	CHECK_U64(vcpu.boosts, 9);
	CHECK_U64(vcpu.denied, 10);
	account_report(&accounts, 0, &(struct policy_view){.wants_ordinary = true});
	CHECK_U64(vcpu.flags, kept | PVS_FLAG_REPORT_ORDINARY);
}

/* Its own bucket, by what the run that goes on has taken from it; and only while it is boosted. */
static void test_overdrawn(void)
{
	start();
	CHECK_U64(account_overdrawn_ns(&accounts, 0, T0 + 9000 * US), 0);
	account_boosted(&accounts, 0, T0 + 100 * US);
	CHECK_U64(account_overdrawn_ns(&accounts, 0, T0 + 500 * US), 0);
	CHECK_U64(account_overdrawn_ns(&accounts, 0, T0 + 900 * US), 300 * US);
	vcpu.repaid_at_ns = T0 + 900 * US + 500 * US; /* 100 us at 20 % */
	CHECK_U64(account_overdrawn_ns(&accounts, 0, T0 + 900 * US), 400 * US);
	vcpu.entitled_permille = 100; /* it pays twice: 1200 us are 600 of its run */
	CHECK_U64(account_overdrawn_ns(&accounts, 0, T0 + 900 * US), 600 * US);
	vcpu.in_ns = 0;
	CHECK_U64(account_overdrawn_ns(&accounts, 0, T0 + 900 * US), 0);
	vcpu.in_ns = T0;
	account_unboosted(&accounts, 0, T0 + 900 * US);
	CHECK_U64(account_overdrawn_ns(&accounts, 0, T0 + 900 * US), 0);
}

/* Both words must hold the same one. */
static void test_epoch(void)
{
	start();
	CHECK_U64(account_epoch(&accounts, 0), PVS_EPOCH_UNKNOWN);
	vcpu.epoch = 3;
	CHECK_U64(account_epoch(&accounts, 0), PVS_EPOCH_UNKNOWN);
	domain.leader_epoch = 3;
	CHECK_U64(account_epoch(&accounts, 0), 3);
	domain.leader_epoch = 4;
	CHECK_U64(account_epoch(&accounts, 0), PVS_EPOCH_UNKNOWN);
	domain.leader_epoch = PVS_EPOCH_OVER;
	CHECK_U64(account_epoch(&accounts, 0), PVS_EPOCH_UNKNOWN);
	vcpu.epoch = PVS_EPOCH_OVER;
	CHECK_U64(account_epoch(&accounts, 0), PVS_EPOCH_UNKNOWN);
}

/* Only of the sleep, or the wait, that goes on, and not for long. */
static void test_slack(void)
{
	uint64_t slack_ns;

	start();
	vcpu.in_ns = 0;
	CHECK(!account_slack(&accounts, 0, T0, &slack_ns));
	vcpu.slack_ns = 77;
	vcpu.slack_at_ns = vcpu.out_ns = T0;
	CHECK(account_slack(&accounts, 0, T0 + ACCOUNT_SLACK_NS - 1, &slack_ns));
	CHECK_U64(slack_ns, 77);
	CHECK(!account_slack(&accounts, 0, T0 + ACCOUNT_SLACK_NS, &slack_ns));
	vcpu.in_ns = T0 + 1;
	CHECK(!account_slack(&accounts, 0, T0 + 2, &slack_ns));
	vcpu.in_ns = 0;
	vcpu.out_ns = T0 + 2; /* nobody was told of this one */
	CHECK(!account_slack(&accounts, 0, T0 + 3, &slack_ns));
}

/* Other rules leave the buckets as they are: nothing owed is forgiven. */
static void test_rules(void)
{
	struct pvs_bucket_rule rule = {.burst_ns = 7 * US, .share_permille = 9};
	uint32_t share_before = cpu_rule.share_permille;
	uint64_t burst_before = cpu_rule.burst_ns;

	start();
	domain.repaid_at_ns = T0;
	account_set_domain_rule(&accounts, 0, &rule);
	CHECK_U64(domain.rule.burst_ns, 7 * US);
	CHECK_INT(domain.rule.share_permille, 9);
	CHECK_U64(domain.repaid_at_ns, T0);
	account_reset_domain(&accounts, 0);
	CHECK_U64(domain.repaid_at_ns, 0);
	account_set_cpu_rule(&accounts, &rule);
	CHECK_U64(cpu_rule.burst_ns, 7 * US);
	CHECK_INT(cpu_rule.share_permille, 9);
	cpu_rule =
	        (struct pvs_bucket_rule){.burst_ns = burst_before, .share_permille = share_before};
}

/* The sheet counts as tokens do, and tells when there will be a burst again. */
static void test_sheet(void)
{
	struct policy_facts facts;

	start();
	CHECK_U64(cpus[PVS_CPUS_MAX - 1].sheet.limit_ns, 670000 * US);
	account_boosted(&accounts, 0, T0);
	account_facts(&accounts, 0, T0 + 100 * US, &facts);
	CHECK(!facts.sheet_used_up && facts.sheet_at_ns <= T0 + 100 * US);
	CHECK(account_has_room(&accounts, 0, 0, T0));
	pvs_sheet_charge(&cpus[0].sheet, T0, 669750 * US);
	CHECK(!account_has_room(&accounts, 0, 0, T0)); /* not a burst */
	account_facts(&accounts, 0, T0 + 100 * US, &facts);
	CHECK_INT(facts.tokens_ns, 150 * US);
	CHECK(!facts.sheet_used_up);
	/* the run, which is not charged, counts; so does that of a foreign thread */
	account_facts(&accounts, 0, T0 + 240 * US, &facts);
	CHECK(facts.sheet_used_up);
	CHECK(facts.sheet_at_ns > T0 + 300000 * US && facts.sheet_at_ns < T0 + 500000 * US);
	vcpu.in_ns = 0;
	cpus[0].rt_since_ns = T0;
	account_facts(&accounts, 0, T0 + 240 * US, &facts);
	CHECK(facts.sheet_used_up);
	cpus[0].rt_since_ns = 0;
	account_facts(&accounts, 0, facts.sheet_at_ns, &facts);
	CHECK(!facts.sheet_used_up && facts.sheet_at_ns <= T0 + 500000 * US);
	/* never more than a second, whatever is asked for */
	account_set_sheets(&accounts, UINT64_MAX);
	CHECK_U64(cpus[0].sheet.limit_ns, NSEC_PER_SEC);
}

TEST_MAIN({"domain_is_boosted", test_domain_is_boosted}, {"sheet", test_sheet},
          {"overdrawn", test_overdrawn}, {"boosted_once", test_boosted_once},
          {"helpers_behind", test_helpers_behind}, {"follower", test_follower},
          {"each_stretch_of_a_run_is_owed", test_each_stretch_of_a_run_is_owed},
          {"another_run_owes_nothing", test_another_run_owes_nothing},
          {"who_saw_it_first_knows_when", test_who_saw_it_first_knows_when},
          {"run_time", test_run_time}, {"interrupted", test_interrupted}, {"report", test_report},
          {"room", test_room}, {"watched_again", test_watched_again}, {"epoch", test_epoch},
          {"slack", test_slack}, {"rules", test_rules})
