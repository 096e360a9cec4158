/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the policy does about tokens: buckets that are not full, exhausted ones, back-off, the limit
 * on changes, and the run that the tracer does not watch. Links src/policy alone.
 */
#include "policy/refusals.h"
#include "policy_fixture.h"
#include "core/account.h"

static void check_waits(struct policy_facts facts, uint64_t until_ns, enum policy_state state,
                        enum policy_reason reason)
{
	struct policy *policy = make(0);
	struct policy_decision decision = step(policy, POLICY_EVENT_HALTED, facts, T0);

	CHECK_INT(decision.action, POLICY_NOTHING);
	CHECK(!decision.report_halt);
	check_view(policy, state, reason);
	CHECK_U64(policy_next_ns(policy), until_ns);
	CHECK_U64(policy_view(policy, 1)->denied_total[reason], 1);
	CHECK_INT(policy_due(policy, until_ns - 1), -1);
	CHECK_INT(policy_due(policy, until_ns), 1);
	CHECK_INT(step(policy, POLICY_EVENT_LOOK, facts, until_ns).action, POLICY_BOOST);
	policy_free(policy);
}

static void test_buckets(void)
{
	struct policy_facts facts = halted();

	facts.full_at_ns = T0 + 3;
	check_waits(facts, T0 + 3, POLICY_THROTTLED, POLICY_REASON_BUDGET);
	facts = halted();
	facts.domain_at_ns = T0 + 3;
	check_waits(facts, T0 + 3, POLICY_UNBOOSTED, POLICY_REASON_DOMAIN_CAP);
	facts = halted();
	facts.cpu_at_ns = T0 + 3;
	check_waits(facts, T0 + 3, POLICY_UNBOOSTED, POLICY_REASON_CPU_CAP);
	facts = halted();
	facts.sheet_at_ns = T0 + 3;
	check_waits(facts, T0 + 3, POLICY_UNBOOSTED, POLICY_REASON_CPU_REAL_TIME);
	/* now is not the future */
	facts.sheet_at_ns = facts.cpu_at_ns = facts.domain_at_ns = facts.full_at_ns = T0;
	struct policy *policy = make(0);

	CHECK_INT(step(policy, POLICY_EVENT_HALTED, facts, T0).action, POLICY_BOOST);
	policy_free(policy);
}

static void check_exhausted(enum policy_event event, enum policy_reason reason, bool strike)
{
	struct policy *policy = make_armed();
	struct policy_facts facts = running(0);
	struct policy_decision decision;

	facts.full_at_ns = T0 + 2 * MS;
	facts.domain_at_ns = T0 + 3 * MS;
	facts.cpu_at_ns = T0 + 1 * MS;
	decision = step(policy, event, facts, T0 + MS);
	CHECK_INT(decision.action, POLICY_UNBOOST);
	CHECK_INT(decision.reason, reason);
	check_view(policy, POLICY_THROTTLED, reason);
	CHECK_U64(policy_view(policy, 1)->denied_total[reason], 1);
	CHECK_U64(policy_view(policy, 1)->since_ns, T0 + MS);
	CHECK_U64(policy_next_ns(policy), strike ? T0 + MS + 2 * REFILL_NS : T0 + 3 * MS);
	policy_free(policy);
}

static void test_exhausted(void)
{
	check_exhausted(POLICY_EVENT_EXHAUSTED, POLICY_REASON_BUDGET, true);
	check_exhausted(POLICY_EVENT_DOMAIN_EXHAUSTED, POLICY_REASON_DOMAIN_CAP, false);
	check_exhausted(POLICY_EVENT_CPU_EXHAUSTED, POLICY_REASON_CPU_CAP, false);
	check_exhausted(POLICY_EVENT_SHED, POLICY_REASON_CPU_CAP, true);
	check_exhausted(POLICY_EVENT_SHEET_USED_UP, POLICY_REASON_CPU_REAL_TIME, false);
}

/* Found by a look: no boost goes on where the sheet is used up, whatever its buckets hold. */
static void test_sheet_used_up(void)
{
	static const enum policy_whereabouts all[] = {POLICY_RUNNING, POLICY_WAITING,
	                                              POLICY_BLOCKED, POLICY_HALTED};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		struct policy *policy = make_armed();
		struct policy_facts facts = running(500 * US);
		struct policy_decision decision;

		facts.whereabouts = all[i];
		facts.sheet_used_up = true;
		facts.sheet_at_ns = T0 + 90 * MS;
		decision = step(policy, POLICY_EVENT_LOOK, facts, T0 + MS);
		CHECK_INT(decision.action, POLICY_UNBOOST);
		check_view(policy, POLICY_THROTTLED, POLICY_REASON_CPU_REAL_TIME);
		CHECK_U64(policy_next_ns(policy), T0 + 90 * MS);
		/* not by command either, nor with tokens kept */
		facts.whereabouts = POLICY_HALTED;
		policy_boost(policy, 1, T0 + NSEC_PER_SEC);
		decision = step(policy, POLICY_EVENT_LOOK, facts, T0 + 2 * MS);
		CHECK_INT(decision.action, POLICY_NOTHING);
		check_view(policy, POLICY_UNBOOSTED, POLICY_REASON_CPU_REAL_TIME);
		policy_free(policy);
	}
}

static void test_exhausted_with_times_past(void)
{
	/* the run is charged when it ends: until then the buckets may look full */
	struct policy *policy = make_armed();
	struct policy_facts facts = halted();

	step(policy, POLICY_EVENT_DOMAIN_EXHAUSTED, running(0), T0 + MS);
	CHECK_U64(policy_next_ns(policy), T0 + MS + 1);
	CHECK(step(policy, POLICY_EVENT_LOOK, running(0), T0 + MS + 1).report_halt);
	facts.full_at_ns = T0 + 2 * MS;
	CHECK_INT(step(policy, POLICY_EVENT_HALTED, facts, T0 + MS + 2).action, POLICY_NOTHING);
	check_view(policy, POLICY_THROTTLED, POLICY_REASON_BUDGET);
	policy_free(policy);
}

static void test_late_exhausted_is_harmless(void)
{
	/* an event that was under way when the vCPU was unboosted */
	for (int event = POLICY_EVENT_EXHAUSTED; event <= POLICY_EVENT_FOREIGN; event++) {
		struct policy *policy = make(0);
		struct policy_decision decision =
		        step(policy, (enum policy_event)event, running(0), T0);

		CHECK_INT(decision.action, POLICY_NOTHING);
		CHECK(decision.report_halt);
		policy_free(policy);
	}
}

static void test_backoff(void)
{
	struct policy *policy = make(0);
	uint64_t now = T0;

	/* emptied at once, again and again: 2, 4, 8, 8 times the time to refill */
	for (unsigned int strike = 1; strike <= 5; strike++) {
		uint64_t pause = REFILL_NS << MIN(strike, 3U);

		arm(policy, now);
		now += 500 * US;
		step(policy, POLICY_EVENT_EXHAUSTED, running(0), now);
		CHECK_U64(policy_next_ns(policy), now + pause);
		CHECK_INT(step(policy, POLICY_EVENT_HALTED, halted(), now + 1).action,
		          POLICY_NOTHING);
		check_view(policy, POLICY_THROTTLED, POLICY_REASON_BACKOFF);
		CHECK_U64(policy_next_ns(policy), now + pause);
		now += pause;
	}
	/* a calm stretch forgives; its end is no strike */
	arm(policy, now);
	now += 4 * REFILL_NS + 1;
	step(policy, POLICY_EVENT_EXHAUSTED, running(0), now);
	CHECK_U64(policy_next_ns(policy), now + 1);
	arm(policy, now + REFILL_NS);
	now += REFILL_NS + 500 * US;
	step(policy, POLICY_EVENT_EXHAUSTED, running(0), now);
	CHECK_U64(policy_next_ns(policy), now + 2 * REFILL_NS);
	policy_free(policy);
}

static void test_backoff_and_full(void)
{
	struct policy *policy = make_armed();
	struct policy_facts facts = halted();

	step(policy, POLICY_EVENT_EXHAUSTED, running(0), T0 + MS);
	facts.full_at_ns = T0 + 100 * MS; /* whichever is later */
	step(policy, POLICY_EVENT_LOOK, facts, T0 + 2 * MS);
	CHECK_U64(policy_next_ns(policy), T0 + 100 * MS);
	policy_free(policy);
}

static unsigned int changes_within(struct policy *policy, uint64_t from_ns, uint64_t to_ns)
{
	struct policy_facts facts = halted();
	unsigned int boosts = 0;

	for (uint64_t now = from_ns; now < to_ns; now += MS / 2) {
		struct policy_decision decision = step(policy, POLICY_EVENT_LOOK, facts, now);

		if (decision.action != POLICY_BOOST) {
			CHECK_INT(decision.reason, POLICY_REASON_RATE);
			CHECK(policy_next_ns(policy) > now);
			CHECK(policy_next_ns(policy) <= now + NSEC_PER_SEC);
			continue;
		}
		boosts++;
		policy_boosted(policy, 1, 0, &facts, now);
		policy_hold(policy, 1, POLICY_HOLD(POLICY_REASON_PAUSED), 0);
		CHECK_INT(step(policy, POLICY_EVENT_LOOK, facts, now).action, POLICY_UNBOOST);
		policy_hold(policy, 1, 0, POLICY_HOLD(POLICY_REASON_PAUSED));
	}
	return boosts;
}

static void test_rate_limit(void)
{
	static const uint32_t limits[] = {500, 100, 10, 9, 5, 1};

	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		struct host_caps caps = HOST_CAPS_INIT;
		struct policy *policy = policy_new(2, &caps);
		unsigned int boosts;

		caps.max_changes_per_s = limits[i];
		policy_set_caps(policy, &caps);
		policy_add(policy, 1, &latency, 0, T0);
		boosts = changes_within(policy, T0, T0 + 10 * NSEC_PER_SEC);
		/* a tenth of a second's, or one, at once; then the rate; never none */
		CHECK_LE(boosts, 10 * limits[i] + limits[i] / 10 + 1);
		CHECK_GE(boosts, 9 * limits[i]);
		CHECK_GE(policy_view(policy, 1)->denied_total[POLICY_REASON_RATE], 1);
		policy_free(policy);
	}
}

static void test_armed_keeps(void)
{
	static const enum policy_event events[] = {POLICY_EVENT_LOOK, POLICY_EVENT_HALTED,
	                                           POLICY_EVENT_RESCAN};
	struct policy *policy = make_armed();
	struct policy_facts facts = halted();

	for (size_t i = 0; i < ARRAY_SIZE(events); i++) {
		CHECK_INT(step(policy, events[i], running(1), T0 + 1).action, POLICY_NOTHING);
		/* debt while it sleeps or waits is found at the next switch-in */
		facts.tokens_ns = -1;
		CHECK_INT(step(policy, events[i], facts, T0 + 1).action, POLICY_NOTHING);
		facts.whereabouts = POLICY_WAITING;
		CHECK_INT(step(policy, events[i], facts, T0 + 1).action, POLICY_NOTHING);
		check_view(policy, POLICY_ARMED, POLICY_REASON_WITHIN);
		/* unless that switch-in goes unseen */
		CHECK_U64(policy_next_ns(policy), T0 + 1 + PVS_UNSEEN_NS);
		facts.whereabouts = POLICY_HALTED;
		CHECK_INT(step(policy, events[i], facts, T0 + 1).action, POLICY_NOTHING);
		CHECK_U64(policy_next_ns(policy), NSEC_NEVER);
	}
	CHECK_U64(policy_view(policy, 1)->since_ns, T0);
	/* running with nothing left: as if the tracer had said it */
	CHECK_INT(step(policy, POLICY_EVENT_LOOK, running(0), T0 + 2).action, POLICY_UNBOOST);
	check_view(policy, POLICY_THROTTLED, POLICY_REASON_BUDGET);
	policy_free(policy);
}

static void test_boosted_while_awake(void)
{
	struct policy *policy = make(0);
	struct policy_facts facts = running(400 * (int64_t)US);

	step(policy, POLICY_EVENT_HALTED, halted(), T0);
	policy_boosted(policy, 1, 0, &facts, T0);
	/* the tracer has no deadline for this run: the policy has */
	CHECK_U64(policy_next_ns(policy), T0 + 400 * US);
	facts.tokens_ns = 100 * US; /* others took from the domain's bucket: sooner */
	CHECK_INT(step(policy, POLICY_EVENT_LOOK, facts, T0 + 10 * US).action, POLICY_NOTHING);
	CHECK_U64(policy_next_ns(policy), T0 + 110 * US);
	facts.tokens_ns = 0;
	CHECK_INT(step(policy, POLICY_EVENT_LOOK, facts, T0 + 110 * US).action, POLICY_UNBOOST);
	check_view(policy, POLICY_THROTTLED, POLICY_REASON_BUDGET);
	policy_free(policy);
}

static void test_boosted_while_awake_then_asleep(void)
{
	struct policy *policy = make(0);
	struct policy_facts facts = running(-5);

	step(policy, POLICY_EVENT_HALTED, halted(), T0);
	policy_boosted(policy, 1, 0, &facts, T0);
	CHECK_U64(policy_next_ns(policy), T0 + 1); /* never in the past, never now */
	CHECK_INT(step(policy, POLICY_EVENT_LOOK, halted(), T0 + 1).action, POLICY_NOTHING);
	CHECK_U64(policy_next_ns(policy), NSEC_NEVER);
	/* the next run has a deadline from the tracer */
	CHECK_INT(step(policy, POLICY_EVENT_LOOK, running(5), T0 + 2).action, POLICY_NOTHING);
	CHECK_U64(policy_next_ns(policy), NSEC_NEVER);
	policy_free(policy);
}

/* The halt that was reported is over before anybody looked: it is asked about ever less often. */
static void test_short_halts(void)
{
	static const uint64_t pauses[] = {MS, 2 * MS, 4 * MS, 8 * MS, 16 * MS, 16 * MS};
	struct policy *policy = make(0);
	uint64_t now = T0;

	for (size_t i = 0; i < ARRAY_SIZE(pauses); i++) {
		CHECK(step(policy, POLICY_EVENT_LOOK, running(MS), now).report_halt);
		CHECK_U64(policy_next_ns(policy), NSEC_NEVER);
		CHECK(!step(policy, POLICY_EVENT_HALTED, running(MS), now + 1).report_halt);
		CHECK_U64(policy_next_ns(policy), now + 1 + pauses[i]);
		now += 1 + pauses[i];
	}
	/* one that lasted is forgiven the others */
	arm(policy, now);
	policy_hold(policy, 1, POLICY_HOLD(POLICY_REASON_PAUSED), 0);
	step(policy, POLICY_EVENT_LOOK, halted(), now);
	policy_hold(policy, 1, 0, POLICY_HOLD(POLICY_REASON_PAUSED));
	step(policy, POLICY_EVENT_HALTED, running(MS), now);
	CHECK_U64(policy_next_ns(policy), now + MS);
	policy_free(policy);
}

/* Who is turned away from a shared bucket again and again looks ever later, and not for ever. */
static void test_crowded_caps(void)
{
	struct policy *policy = make(0);
	struct policy_facts facts = halted();
	uint64_t now = T0, before = 0, waited;

	for (int i = 0; i < 20; i++) {
		facts.cpu_at_ns = now + 10 * US;
		CHECK_INT(step(policy, POLICY_EVENT_LOOK, facts, now).action, POLICY_NOTHING);
		waited = policy_next_ns(policy) - now;
		CHECK(i == 0 ? waited == 10 * US : waited >= 2 * MS);
		CHECK(waited >= before && waited <= 256 * MS);
		before = waited;
		now = policy_next_ns(policy);
	}
	CHECK_U64(before, 256 * MS);
	/* a cap that is full for longer than that is waited for */
	facts.cpu_at_ns = now + NSEC_PER_SEC;
	step(policy, POLICY_EVENT_LOOK, facts, now);
	CHECK_U64(policy_next_ns(policy), now + NSEC_PER_SEC);
	/* served once: all is forgotten */
	now += NSEC_PER_SEC;
	arm(policy, now);
	facts.domain_at_ns = facts.cpu_at_ns = facts.full_at_ns = now + 20 * US;
	step(policy, POLICY_EVENT_CPU_EXHAUSTED, facts, now);
	now = policy_next_ns(policy);
	facts.full_at_ns = 0;
	facts.domain_at_ns = now + 10 * US;
	step(policy, POLICY_EVENT_LOOK, facts, now);
	CHECK_U64(policy_next_ns(policy), now + 10 * US);
	policy_free(policy);
}

/* Its CPU's bucket is empty, and nothing else: it goes on where there is room, with its boost. */
static void test_leaves_a_crowd(void)
{
	struct policy *policy = make_armed();
	struct policy_facts facts = running(0);
	const uint64_t full_ns = 10 * MS; /* 3 ms at 30 %: the CPU's */
	uint64_t now = T0 + MS;

	facts.cpu_at_ns = now + 2 * MS;
	CHECK_INT(step(policy, POLICY_EVENT_MAY_PUSH, facts, now).action, POLICY_NOTHING);
	facts.room_elsewhere = true;
	CHECK_INT(step(policy, POLICY_EVENT_MAY_PUSH, facts, now).action, POLICY_PUSH);
	check_view(policy, POLICY_ARMED, POLICY_REASON_WITHIN);
	CHECK_U64(policy_view(policy, 1)->pushed_total, 1);
	CHECK_U64(policy_view(policy, 1)->denied_total[POLICY_REASON_CPU_CAP], 0);
	CHECK_LE(policy_next_ns(policy), now + 100 * US);
	/* gone: nothing is in its way there */
	facts = running(400 * US);
	facts.watched = true;
	CHECK_INT(step(policy, POLICY_EVENT_LOOK, facts, now + 100 * US).action, POLICY_NOTHING);
	CHECK_U64(policy_next_ns(policy), NSEC_NEVER);
	/* not to and fro: not before the CPU that it left can be full again */
	facts = running(0);
	facts.room_elsewhere = true;
	now += full_ns - 1;
	CHECK_INT(step(policy, POLICY_EVENT_MAY_PUSH, facts, now).action, POLICY_NOTHING);
	CHECK_INT(step(policy, POLICY_EVENT_MAY_PUSH, facts, now + 1).action, POLICY_PUSH);
	policy_free(policy);
}

/* It costs the booster real time: some at once, but not for ever one vCPU after the other. */
static void test_leaves_a_crowd_one_by_one(void)
{
	struct policy *policy = make_armed();
	struct policy_facts sleeps = halted(), facts = running(0);
	struct policy_decision decision;
	const uint64_t again_ns = 10 * MS; /* of one vCPU */
	unsigned int n = 0;
	uint64_t now = T0 + MS;

	facts.room_elsewhere = true;
	policy_add(policy, 2, &latency, 0, T0);
	step_vcpu(policy, 2, POLICY_EVENT_HALTED, sleeps, T0);
	policy_boosted(policy, 2, 0, &sleeps, T0);
	CHECK_INT(step(policy, POLICY_EVENT_MAY_PUSH, facts, now).action, POLICY_PUSH);
	decision = step_vcpu(policy, 2, POLICY_EVENT_MAY_PUSH, facts, now);
	CHECK_INT(decision.action, POLICY_PUSH);
	policy_remove(policy, 2);
	/* another one each time */
	for (unsigned int i = 0; i < 100; i++) {
		policy_add(policy, 2, &latency, 0, now);
		step_vcpu(policy, 2, POLICY_EVENT_HALTED, sleeps, now);
		policy_boosted(policy, 2, 0, &sleeps, now);
		decision = step_vcpu(policy, 2, POLICY_EVENT_MAY_PUSH, facts, now);
		n += decision.action == POLICY_PUSH;
	}
	CHECK_U64(n, 14); /* with the two before: a millisecond */
	CHECK_INT(step(policy, POLICY_EVENT_MAY_PUSH, facts, now + again_ns).action, POLICY_PUSH);
	policy_free(policy);
}

/* Nobody else watches the run that goes on: what stays there is unboosted, what went is watched. */
static void test_stays_in_a_crowd(void)
{
	struct policy *policy = make_armed();
	struct policy_facts facts = running(0);
	uint64_t now = T0 + MS;

	facts.room_elsewhere = true;
	CHECK_INT(step(policy, POLICY_EVENT_MAY_PUSH, facts, now).action, POLICY_PUSH);
	now = policy_next_ns(policy);
	CHECK_INT(step(policy, POLICY_EVENT_LOOK, facts, now).action, POLICY_UNBOOST);
	policy_free(policy);

	policy = make_armed();
	now = T0 + MS;
	/* the booster preempted it, and it runs elsewhere by now */
	CHECK_INT(step(policy, POLICY_EVENT_MAY_PUSH, running(300 * US), now).action, POLICY_PUSH);
	now = policy_next_ns(policy);
	CHECK_INT(step(policy, POLICY_EVENT_LOOK, running(200 * US), now).action, POLICY_NOTHING);
	CHECK_U64(policy_next_ns(policy), now + 200 * US);
	policy_free(policy);
}

/* A deadline that could not be started costs this boost: no strike, and no other's. */
static void test_no_deadline(void)
{
	struct policy *policy = make_armed();

	CHECK_INT(step(policy, POLICY_EVENT_NO_DEADLINE, running(400 * US), T0 + MS).action,
	          POLICY_UNBOOST);
	check_view(policy, POLICY_THROTTLED, POLICY_REASON_NO_DEADLINE);
	CHECK_U64(policy_view(policy, 1)->denied_total[POLICY_REASON_NO_DEADLINE], 1);
	/* its tokens are there: it is armed again as soon as its guest is idle */
	CHECK_INT(step(policy, POLICY_EVENT_LOOK, halted(), policy_next_ns(policy)).action,
	          POLICY_BOOST);
	policy_free(policy);
}

static void test_many_refusals(void)
{
	struct policy_refusals refusals = {0};
	unsigned int told = 0;

	/* now and then, for ever */
	for (unsigned int i = 0; i < 1000; i++)
		CHECK(!policy_refusals_add(&refusals, T0 + i * 11 * MS));
	/* in a storm: once in a second */
	refusals = (struct policy_refusals){0};
	for (unsigned int i = 0; i < 2000; i++)
		told += policy_refusals_add(&refusals, T0 + i * MS);
	CHECK_INT(told, 2);
}

static void test_no_way_out_of_a_crowd(void)
{
	struct policy *policy = make_armed();
	struct policy_facts facts = halted();

	/* asleep: there is nobody to take elsewhere */
	facts.tokens_ns = 0;
	facts.room_elsewhere = true;
	CHECK_INT(step(policy, POLICY_EVENT_MAY_PUSH, facts, T0 + MS).action, POLICY_NOTHING);
	facts = running(0);
	facts.room_elsewhere = true;
	policy_hold(policy, 1, POLICY_HOLD(POLICY_REASON_PAUSED), 0);
	CHECK_INT(step(policy, POLICY_EVENT_MAY_PUSH, facts, T0 + MS).action, POLICY_NOTHING);
	CHECK_U64(policy_view(policy, 1)->pushed_total, 0);
	policy_free(policy);
}

TEST_MAIN({"short_halts", test_short_halts}, {"buckets", test_buckets},
          {"exhausted", test_exhausted}, {"sheet_used_up", test_sheet_used_up},
          {"exhausted_with_times_past", test_exhausted_with_times_past},
          {"late_exhausted_is_harmless", test_late_exhausted_is_harmless},
          {"backoff", test_backoff}, {"backoff_and_full", test_backoff_and_full},
          {"rate_limit", test_rate_limit}, {"armed_keeps", test_armed_keeps},
          {"boosted_while_awake", test_boosted_while_awake},
          {"boosted_while_awake_then_asleep", test_boosted_while_awake_then_asleep},
          {"crowded_caps", test_crowded_caps}, {"leaves_a_crowd", test_leaves_a_crowd},
          {"leaves_a_crowd_one_by_one", test_leaves_a_crowd_one_by_one},
          {"stays_in_a_crowd", test_stays_in_a_crowd}, {"no_deadline", test_no_deadline},
          {"many_refusals", test_many_refusals},
          {"no_way_out_of_a_crowd", test_no_way_out_of_a_crowd})
