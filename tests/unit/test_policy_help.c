// SPDX-License-Identifier: GPL-2.0-or-later
/* vCPUs that wait for each other: which one is helped, pulses, holds. */
#include "policy/help.h"
#include "policy/pulse.h"

#include "core/account.h"

#include "policy_fixture.h"

#define PULSE_NS ((uint64_t)100 * US)

/* Who waits is vCPU 2, and vCPU 1 is awaited. */
#define WAITER 2

static struct profile throughput(void)
{
	return (struct profile)PROFILE_THROUGHPUT_INIT;
}

static struct policy_facts waits(void)
{
	return (struct policy_facts){
	        .whereabouts = POLICY_WAITING, .tokens_ns = 500 * US, .waited_ns = MS};
}

static struct policy_facts runs(uint64_t ran_ns)
{
	struct policy_facts facts = running(-1000 * US); /* it has none of its own */

	facts.ran_ns = ran_ns;
	return facts;
}

static struct policy *make_pair(const struct profile *profile)
{
	struct policy *policy = make(0);

	policy_set_profile(policy, 1, profile);
	policy_add(policy, WAITER, profile, 0, T0);
	step(policy, POLICY_EVENT_LOOK, waits(), T0);
	CHECK_INT(policy_view(policy, 1)->state, POLICY_UNBOOSTED);
	return policy;
}

static struct policy_decision offer(struct policy *policy, int64_t tokens_ns,
                                    struct policy_facts facts, uint64_t now_ns)
{
	struct policy_offer given = {.payer = WAITER + 1, .tokens_ns = tokens_ns};
	struct policy_input input = {POLICY_EVENT_AWAITED, &facts, now_ns, &given};
	struct policy_decision decision;

	policy_step(policy, 1, &input, &decision);
	if (decision.action == POLICY_BOOST)
		policy_boosted(policy, 1, 0, &facts, now_ns);
	return decision;
}

/* ---- which one ---- */

static struct help_choice choose(const struct help_sibling *siblings, size_t n, uint32_t help)
{
	return help_choose(siblings, n, help, true);
}

static void test_rounds(void)
{
	struct help_sibling s[] = {
	        {.vcpu = 1, .waits = true, .waited_ns = 9 * MS},
	        {.vcpu = 2, .waits = true, .pending = true, .waited_ns = MS},
	        {.vcpu = 3, .waits = true, .sent = true},
	        {.vcpu = 4, .waits = true, .named = true},
	        {.vcpu = 5, .named = true, .sent = true}, /* it runs */
	};
	static const enum help_round rounds[] = {HELP_NAMED, HELP_SENT, HELP_PENDING, HELP_RELAXED};
	struct help_choice choice;

	for (size_t i = 0; i < ARRAY_SIZE(rounds); i++) {
		choice = choose(s, ARRAY_SIZE(s), PROFILE_HELP_ALL);
		CHECK_INT(choice.round, rounds[i]);
		CHECK_U64(choice.index, 3 - i);
		s[choice.index].waits = false;
	}
	CHECK_INT(choose(s, ARRAY_SIZE(s), PROFILE_HELP_ALL).round, HELP_NONE);
	CHECK_INT(choose(s, 0, PROFILE_HELP_ALL).round, HELP_NONE);
}

static void test_switches_leave_rounds_out(void)
{
	struct help_sibling s[] = {
	        {.waits = true, .waited_ns = 9 * MS},
	        {.waits = true, .sent = true, .pending = true, .waited_ns = MS},
	};

	CHECK_INT(choose(s, 2, PROFILE_HELP_IPI).round, HELP_SENT);
	CHECK_INT(choose(s, 2, PROFILE_HELP_RELAXED).round, HELP_RELAXED);
	CHECK_U64(choose(s, 2, PROFILE_HELP_RELAXED).index, 0);
	CHECK_INT(choose(s, 1, PROFILE_HELP_IPI).round, HELP_NONE);
	CHECK_INT(choose(s, 2, PROFILE_HELP_HOLD).round, HELP_NONE);
}

static void test_what_merely_sends_makes_no_guess(void)
{
	struct help_sibling s[] = {
	        {.waits = true, .waited_ns = 9 * MS},
	        {.waits = true, .pending = true},
	        {.waits = true, .sent = true},
	};

	CHECK_INT(help_choose(s, 3, PROFILE_HELP_ALL, false).round, HELP_SENT);
	CHECK_INT(help_choose(s, 2, PROFILE_HELP_ALL, false).round, HELP_NONE);
}

static void test_within_a_round(void)
{
	struct help_sibling s[] = {
	        {.waits = true, .pending = true, .waited_ns = MS},
	        {.waits = true, .pending = true, .waited_ns = 3 * MS},
	        {.waits = true, .pending = true, .waited_ns = 2 * MS},
	};

	CHECK_U64(choose(s, 3, PROFILE_HELP_ALL).index, 1);
	s[0].critical = true; /* it holds what the others wait for */
	CHECK_U64(choose(s, 3, PROFILE_HELP_ALL).index, 0);
}

/* ---- pulses ---- */

static void test_a_pulse_is_paid_and_ends(void)
{
	struct profile profile = throughput();
	struct policy *policy = make_pair(&profile);
	struct policy_decision decision = offer(policy, 500 * US, waits(), T0 + MS);

	CHECK_INT(decision.action, POLICY_BOOST);
	CHECK_U64(decision.payer, WAITER + 1);
	CHECK_U64(decision.pulse_ns, PULSE_NS);
	check_view(policy, POLICY_ARMED, POLICY_REASON_AWAITED);
	CHECK_U64(policy_view(policy, 1)->pulses_total, 1);
	/* it runs: its own tokens do not count */
	decision = step(policy, POLICY_EVENT_LOOK, runs(PULSE_NS - 1), T0 + MS + PULSE_NS);
	CHECK_INT(decision.action, POLICY_NOTHING);
	decision = step(policy, POLICY_EVENT_PULSE_OVER, runs(PULSE_NS - 1), T0 + MS + PULSE_NS);
	CHECK_INT(decision.action, POLICY_UNBOOST);
	check_view(policy, POLICY_UNBOOSTED, POLICY_REASON_NOT_AWAITED);
	CHECK_U64(policy_view(policy, 1)->throttles_total, 0);
	policy_free(policy);
}

static void test_a_pulse_is_no_longer_than_its_tokens(void)
{
	struct profile profile = throughput();
	struct policy *policy = make_pair(&profile);

	CHECK_INT(offer(policy, PVS_CHARGE_MIN_NS - 1, waits(), T0 + MS).action, POLICY_NOTHING);
	CHECK_U64(policy_view(policy, 1)->denied_total[POLICY_REASON_BUDGET], 1);
	CHECK_U64(offer(policy, PVS_CHARGE_MIN_NS, waits(), T0 + MS).pulse_ns, PVS_CHARGE_MIN_NS);
	policy_free(policy);
}

/* Each ends a pulse, and none is held against the vCPU. */
static void test_ends(void)
{
	static const enum policy_event events[] = {
	        POLICY_EVENT_EXHAUSTED,     POLICY_EVENT_DOMAIN_EXHAUSTED,
	        POLICY_EVENT_CPU_EXHAUSTED, POLICY_EVENT_SHEET_USED_UP,
	        POLICY_EVENT_SHED,          POLICY_EVENT_NO_DEADLINE,
	        POLICY_EVENT_UNSEEN,        POLICY_EVENT_HALTED,
	        POLICY_EVENT_SPIN,          POLICY_EVENT_ORDINARY,
	        POLICY_EVENT_PULSE_OVER,    POLICY_EVENT_SHORT,
	};

	for (size_t i = 0; i < ARRAY_SIZE(events); i++) {
		struct profile profile = throughput();
		struct policy *policy = make_pair(&profile);

		offer(policy, 500 * US, waits(), T0 + MS);
		CHECK_INT(step(policy, events[i], runs(10 * US), T0 + MS + 20 * US).action,
		          POLICY_UNBOOST);
		CHECK_INT(policy_view(policy, 1)->state, POLICY_UNBOOSTED);
		CHECK_U64(denied(policy_view(policy, 1)), 0);
		policy_free(policy);
	}
}

static void test_looks_end_it_too(void)
{
	struct profile profile = throughput();
	struct policy *policy = make_pair(&profile);
	struct policy_facts sleeps = {.whereabouts = POLICY_HALTED};

	/* behind other real-time threads for a millisecond */
	offer(policy, 500 * US, waits(), T0 + MS);
	CHECK_U64(policy_next_ns(policy), T0 + 2 * MS);
	CHECK_INT(step(policy, POLICY_EVENT_LOOK, waits(), T0 + 2 * MS - 1).action, POLICY_NOTHING);
	CHECK_INT(step(policy, POLICY_EVENT_LOOK, waits(), T0 + 2 * MS).action, POLICY_UNBOOST);
	/* it has run, and the tracer did not tell */
	offer(policy, 500 * US, waits(), T0 + 3 * MS);
	CHECK_INT(step(policy, POLICY_EVENT_LOOK, runs(PULSE_NS), T0 + 3 * MS + PULSE_NS).action,
	          POLICY_UNBOOST);
	/* it sleeps */
	offer(policy, 500 * US, waits(), T0 + 5 * MS);
	CHECK_INT(step(policy, POLICY_EVENT_LOOK, sleeps, T0 + 5 * MS + 1).action, POLICY_UNBOOST);
	/* a hold */
	offer(policy, 500 * US, waits(), T0 + 7 * MS);
	policy_hold(policy, 1, POLICY_HOLD(POLICY_REASON_PAUSED), 0);
	CHECK_INT(step(policy, POLICY_EVENT_LOOK, runs(US), T0 + 7 * MS + US).action,
	          POLICY_UNBOOST);
	step(policy, POLICY_EVENT_LOOK, runs(US), T0 + 7 * MS + 2 * US);
	check_view(policy, POLICY_UNBOOSTED, POLICY_REASON_PAUSED);
	policy_free(policy);
}

static void test_what_prevents_a_pulse(void)
{
	struct profile profile = throughput();
	struct policy *policy = make_pair(&profile);
	struct policy_facts facts = waits();

	CHECK_INT(offer(policy, 500 * US, runs(US), T0).action, POLICY_NOTHING);
	facts.sheet_used_up = true;
	CHECK_INT(offer(policy, 500 * US, facts, T0).action, POLICY_NOTHING);
	facts = waits();
	facts.unheard_until_ns = T0 + MS;
	CHECK_INT(offer(policy, 500 * US, facts, T0).action, POLICY_NOTHING);
	facts = waits();
	facts.helper_behind_ns = 2 * MS;
	CHECK_INT(offer(policy, 500 * US, facts, T0).action, POLICY_NOTHING);
	policy_hold(policy, 1, POLICY_HOLD(POLICY_REASON_RT_REFUSED), 0);
	CHECK_INT(offer(policy, 500 * US, waits(), T0).action, POLICY_NOTHING);
	CHECK_U64(policy_view(policy, 1)->denied_total[POLICY_REASON_RT_REFUSED], 1);
	CHECK_U64(policy_view(policy, 1)->pulses_total, 0);
	policy_free(policy);
}

static void test_the_change_limit_bounds_pulses(void)
{
	struct profile profile = throughput();
	struct policy *policy = make_pair(&profile);
	unsigned int pulses = 0;

	for (unsigned int i = 0; i < 1000; i++) {
		uint64_t now_ns = T0 + MS + i * 100 * US;

		if (offer(policy, 500 * US, waits(), now_ns).action == POLICY_BOOST)
			pulses++;
		step(policy, POLICY_EVENT_PULSE_OVER, runs(US), now_ns + 50 * US);
	}
	/* 500 a second, and those of a tenth of a second at once */
	CHECK(pulses >= 95 && pulses <= 105);
	CHECK(policy_view(policy, 1)->denied_total[POLICY_REASON_RATE] > 0);
	policy_free(policy);
}

/* A vCPU that must earn its tokens must do so after a pulse, too, and at the same time. */
static void test_a_pulse_forgives_nothing(void)
{
	struct profile profile = latency;
	struct policy *policy;
	struct policy_facts sleeps = halted(), empty = runs(500 * US);
	uint64_t next_ns;

	profile.help = PROFILE_HELP_ALL;
	policy = make_pair(&profile);
	arm(policy, T0 + MS);
	empty.full_at_ns = T0 + 9 * MS;
	step(policy, POLICY_EVENT_EXHAUSTED, empty, T0 + 2 * MS);
	CHECK_INT(policy_view(policy, 1)->state, POLICY_THROTTLED);
	next_ns = policy_view(policy, 1)->next_ns;
	CHECK_INT(offer(policy, 500 * US, waits(), T0 + 3 * MS).action, POLICY_BOOST);
	CHECK_INT(step(policy, POLICY_EVENT_PULSE_OVER, runs(PULSE_NS), T0 + 4 * MS).action,
	          POLICY_UNBOOST);
	CHECK_INT(policy_view(policy, 1)->state, POLICY_THROTTLED);
	CHECK_U64(policy_view(policy, 1)->next_ns, next_ns);
	/* enough for one that kept its tokens, and too few for one that earns them */
	sleeps.full_at_ns = T0 + 9 * MS;
	CHECK_INT(step(policy, POLICY_EVENT_HALTED, sleeps, T0 + 5 * MS).action, POLICY_NOTHING);
	policy_free(policy);
}

static void test_an_armed_vcpu_is_left_alone(void)
{
	struct policy *policy = make_armed();

	CHECK_INT(offer(policy, 500 * US, waits(), T0 + MS).action, POLICY_NOTHING);
	check_view(policy, POLICY_ARMED, POLICY_REASON_WITHIN);
	CHECK_U64(policy_view(policy, 1)->pulses_total, 0);
	policy_free(policy);
}

static void test_nothing_arms_throughput(void)
{
	struct profile profile = throughput();
	struct policy *policy = make_pair(&profile);

	CHECK_INT(step(policy, POLICY_EVENT_HALTED, halted(), T0 + MS).action, POLICY_NOTHING);
	CHECK_INT(step(policy, POLICY_EVENT_LOOK, halted(), T0 + 2 * MS).action, POLICY_NOTHING);
	check_view(policy, POLICY_UNBOOSTED, POLICY_REASON_NOT_AWAITED);
	CHECK(!policy_view(policy, 1)->wants_interrupt && !policy_view(policy, 1)->wants_urgent);
	policy_boost(policy, 1, T0 + 9 * MS);
	CHECK_INT(step(policy, POLICY_EVENT_LOOK, halted(), T0 + 3 * MS).action, POLICY_BOOST);
	policy_free(policy);
}

/* ---- counts and holds ---- */

static void helped(struct policy *policy, unsigned int waiter, unsigned int awaited,
                   uint32_t entitled_permille, uint64_t now_ns)
{
	struct policy_help help = {.round = HELP_SENT,
	                           .awaited = awaited,
	                           .pulsed = now_ns != T0,
	                           .spins = true,
	                           .entitled_permille = entitled_permille,
	                           .now_ns = now_ns};

	policy_helped(policy, waiter, &help);
}

/* How long vCPU 1 is held, in ns. */
static uint64_t held_ns(struct policy *policy, uint64_t now_ns)
{
	CHECK_INT(step(policy, POLICY_EVENT_LOOK, halted(), now_ns).action, POLICY_NOTHING);
	check_view(policy, POLICY_UNBOOSTED, POLICY_REASON_SPIN);
	return policy_view(policy, 1)->next_ns - now_ns;
}

static void test_counts(void)
{
	struct profile profile = throughput();
	struct policy *policy = make_pair(&profile);
	struct policy_help none = {.round = HELP_NONE, .now_ns = T0};

	profile.help = PROFILE_HELP_IPI;
	policy_set_profile(policy, 1, &profile);
	helped(policy, 1, WAITER, 0, T0);
	helped(policy, 1, WAITER, 0, T0 + MS);
	CHECK_U64(policy_helped(policy, 1, &none), T0 + MS);
	none = (struct policy_help){.round = HELP_SENT, .awaited = WAITER, .pulsed = true};
	CHECK_U64(policy_helped(policy, 1, &none), 0);
	CHECK_U64(policy_view(policy, 1)->helps_total[HELP_SENT], 3);
	CHECK_U64(policy_view(policy, 1)->helps_total[HELP_NONE], 1);
	CHECK_U64(policy_view(policy, 1)->no_pulse_total, 1);
	CHECK_U64(policy_view(policy, 1)->holds_total, 0);
	policy_free(policy);
}

static void test_what_helps(void)
{
	struct profile profile = throughput();
	struct policy *policy = make_pair(&profile);

	CHECK_U64(policy_help_of(policy, 1), PROFILE_HELP_ALL);
	policy_hold(policy, 1, POLICY_HOLD(POLICY_REASON_DISABLED), 0);
	CHECK_U64(policy_help_of(policy, 1), 0);
	policy_hold(policy, 1, 0, POLICY_HOLD(POLICY_REASON_DISABLED));
	profile.mode = PROFILE_OBSERVE;
	policy_set_profile(policy, 1, &profile);
	CHECK_U64(policy_help_of(policy, 1), 0);
	policy_free(policy);
}

static void test_holds_by_the_length_of_the_queue(void)
{
	static const struct {
		uint32_t entitled_permille;
		uint64_t hold_ns;
	} rows[] = {{0, 6 * MS},   {1000, 6 * MS}, {500, 6 * MS}, {250, 5 * MS},
	            {125, 3 * MS}, {83, MS},       {10, MS}};
	struct profile profile = latency;

	profile.help = PROFILE_HELP_HOLD;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct policy *policy = make_pair(&profile);

		helped(policy, 1, WAITER, rows[i].entitled_permille, T0 + MS);
		CHECK_U64(held_ns(policy, T0 + MS), rows[i].hold_ns);
		CHECK_U64(policy_view(policy, 1)->holds_total, 1);
		/* it keeps its tokens: then it is armed at once */
		CHECK_INT(
		        step(policy, POLICY_EVENT_LOOK, halted(), T0 + MS + rows[i].hold_ns).action,
		        POLICY_BOOST);
		policy_free(policy);
	}
}

static void test_holds_are_far_apart(void)
{
	struct profile profile = throughput();
	struct policy *policy = make_pair(&profile);

	helped(policy, 1, WAITER, 10, T0 + MS);
	helped(policy, 1, WAITER, 10, T0 + MS + PULSE_HOLD_EVERY_NS - 1);
	CHECK_U64(policy_view(policy, 1)->holds_total, 1);
	helped(policy, 1, WAITER, 10, T0 + MS + PULSE_HOLD_EVERY_NS);
	CHECK_U64(policy_view(policy, 1)->holds_total, 2);
	policy_free(policy);
}

static void test_a_reverse_pair_is_damped(void)
{
	struct profile profile = throughput();
	struct policy *policy = make_pair(&profile);

	helped(policy, WAITER, 1, 0, T0 + MS);
	helped(policy, 1, WAITER, 0, T0 + MS + PULSE_REVERSE_NS - 1);
	CHECK_U64(held_ns(policy, T0 + MS + PULSE_REVERSE_NS - 1), 3 * MS);
	policy_free(policy);
	policy = make_pair(&profile);
	helped(policy, WAITER, 1, 0, T0 + MS);
	helped(policy, 1, WAITER, 0, T0 + MS + PULSE_REVERSE_NS);
	CHECK_U64(held_ns(policy, T0 + MS + PULSE_REVERSE_NS), 6 * MS);
	policy_free(policy);
}

/* One that waits for a third is not helped meanwhile: it would spin. */
static void test_a_held_vcpu_gets_no_pulse(void)
{
	struct profile profile = throughput();
	struct policy *policy = make_pair(&profile);

	helped(policy, 1, 3, 0, T0 + MS);
	CHECK_INT(offer(policy, 500 * US, waits(), T0 + 2 * MS).action, POLICY_NOTHING);
	CHECK_INT(offer(policy, 500 * US, waits(), T0 + 7 * MS).action, POLICY_BOOST);
	policy_free(policy);
}

TEST_MAIN(TEST(test_rounds), TEST(test_switches_leave_rounds_out),
          TEST(test_what_merely_sends_makes_no_guess), TEST(test_within_a_round),
          TEST(test_a_pulse_is_paid_and_ends), TEST(test_a_pulse_is_no_longer_than_its_tokens),
          TEST(test_ends), TEST(test_looks_end_it_too), TEST(test_what_prevents_a_pulse),
          TEST(test_the_change_limit_bounds_pulses), TEST(test_a_pulse_forgives_nothing),
          TEST(test_an_armed_vcpu_is_left_alone), TEST(test_nothing_arms_throughput),
          TEST(test_counts), TEST(test_what_helps), TEST(test_holds_by_the_length_of_the_queue),
          TEST(test_holds_are_far_apart), TEST(test_a_reverse_pair_is_damped),
          TEST(test_a_held_vcpu_gets_no_pulse))
