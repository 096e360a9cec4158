// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Every state of every machine in the policy with every event. The tables say what is to come next
 * and are written by hand after the pictures in policy.h and vcpu.h.
 */
#include "policy/vcpu.h"

#include "policy_fixture.h"

static void test_reports(void)
{
	static const struct {
		enum reports from;
		enum reports_event event;
		enum reports to;
	} rows[] = {
	        {REPORTS_ALL, REPORTS_ON_LOOK, REPORTS_ALL},
	        {REPORTS_ALL, REPORTS_ON_LOOK_IN_VAIN, REPORTS_NO_CALLS},
	        {REPORTS_ALL, REPORTS_ON_HALT, REPORTS_NO_HALTS},
	        {REPORTS_ALL, REPORTS_ON_CALL, REPORTS_ALL},
	        {REPORTS_ALL, REPORTS_ON_CALL_IN_VAIN, REPORTS_NO_CALLS},
	        {REPORTS_NO_HALTS, REPORTS_ON_LOOK, REPORTS_ALL},
	        {REPORTS_NO_HALTS, REPORTS_ON_LOOK_IN_VAIN, REPORTS_NO_CALLS},
	        {REPORTS_NO_HALTS, REPORTS_ON_HALT, REPORTS_NO_HALTS},
	        {REPORTS_NO_HALTS, REPORTS_ON_CALL, REPORTS_NO_HALTS},
	        {REPORTS_NO_HALTS, REPORTS_ON_CALL_IN_VAIN, REPORTS_NEITHER},
	        {REPORTS_NO_CALLS, REPORTS_ON_LOOK, REPORTS_ALL},
	        {REPORTS_NO_CALLS, REPORTS_ON_LOOK_IN_VAIN, REPORTS_NO_CALLS},
	        {REPORTS_NO_CALLS, REPORTS_ON_HALT, REPORTS_NEITHER},
	        {REPORTS_NO_CALLS, REPORTS_ON_CALL, REPORTS_NO_CALLS},
	        {REPORTS_NO_CALLS, REPORTS_ON_CALL_IN_VAIN, REPORTS_NO_CALLS},
	        {REPORTS_NEITHER, REPORTS_ON_LOOK, REPORTS_ALL},
	        {REPORTS_NEITHER, REPORTS_ON_LOOK_IN_VAIN, REPORTS_NO_CALLS},
	        {REPORTS_NEITHER, REPORTS_ON_HALT, REPORTS_NEITHER},
	        {REPORTS_NEITHER, REPORTS_ON_CALL, REPORTS_NEITHER},
	        {REPORTS_NEITHER, REPORTS_ON_CALL_IN_VAIN, REPORTS_NEITHER},
	};
	bool seen[_REPORTS_MAX][_REPORTS_EVENT_MAX] = {0};

	CHECK_U64(ARRAY_SIZE(rows), _REPORTS_MAX * _REPORTS_EVENT_MAX);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CHECK(!seen[rows[i].from][rows[i].event]);
		seen[rows[i].from][rows[i].event] = true;
		CHECK_INT(reports_next(rows[i].from, rows[i].event), rows[i].to);
	}
}

static void test_reports_say_what_they_are_called(void)
{
	CHECK(reports_halts(REPORTS_ALL) && reports_calls(REPORTS_ALL));
	CHECK(!reports_halts(REPORTS_NO_HALTS) && reports_calls(REPORTS_NO_HALTS));
	CHECK(reports_halts(REPORTS_NO_CALLS) && !reports_calls(REPORTS_NO_CALLS));
	CHECK(!reports_halts(REPORTS_NEITHER) && !reports_calls(REPORTS_NEITHER));
}

static void test_watch(void)
{
	static const struct {
		enum watch from;
		enum watch_event event;
		enum watch to;
	} rows[] = {
	        {WATCH_BY_TIMER, WATCH_ON_RUN, WATCH_BY_TIMER},
	        {WATCH_BY_TIMER, WATCH_ON_TRACER, WATCH_BY_TRACER},
	        {WATCH_BY_TIMER, WATCH_ON_PUSH, WATCH_BY_TIMER},
	        {WATCH_BY_TRACER, WATCH_ON_RUN, WATCH_BY_TRACER},
	        {WATCH_BY_TRACER, WATCH_ON_TRACER, WATCH_BY_TRACER},
	        {WATCH_BY_TRACER, WATCH_ON_PUSH, WATCH_BY_TIMER},
	};
	bool seen[_WATCH_MAX][_WATCH_EVENT_MAX] = {0};

	CHECK_U64(ARRAY_SIZE(rows), _WATCH_MAX * _WATCH_EVENT_MAX);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CHECK(!seen[rows[i].from][rows[i].event]);
		seen[rows[i].from][rows[i].event] = true;
		CHECK_INT(watch_next(rows[i].from, rows[i].event), rows[i].to);
	}
}

static void test_yield(void)
{
	static const struct {
		enum yield from;
		enum yield_event event;
		enum yield to;
	} rows[] = {
	        {YIELD_NOT_OFFERED, YIELD_ON_LOOK, YIELD_NOT_OFFERED},
	        {YIELD_NOT_OFFERED, YIELD_ON_DECLINE, YIELD_DECLINED},
	        {YIELD_NOT_OFFERED, YIELD_ON_SLEEP, YIELD_NOT_OFFERED},
	        {YIELD_DECLINED, YIELD_ON_LOOK, YIELD_DECLINED_BEFORE},
	        {YIELD_DECLINED, YIELD_ON_DECLINE, YIELD_DECLINED},
	        {YIELD_DECLINED, YIELD_ON_SLEEP, YIELD_NOT_OFFERED},
	        {YIELD_DECLINED_BEFORE, YIELD_ON_LOOK, YIELD_DECLINED_BEFORE},
	        {YIELD_DECLINED_BEFORE, YIELD_ON_DECLINE, YIELD_DECLINED},
	        {YIELD_DECLINED_BEFORE, YIELD_ON_SLEEP, YIELD_NOT_OFFERED},
	};
	bool seen[_YIELD_MAX][_YIELD_EVENT_MAX] = {0};

	CHECK_U64(ARRAY_SIZE(rows), _YIELD_MAX * _YIELD_EVENT_MAX);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CHECK(!seen[rows[i].from][rows[i].event]);
		seen[rows[i].from][rows[i].event] = true;
		CHECK_INT(yield_next(rows[i].from, rows[i].event), rows[i].to);
	}
}

static void test_ends_of_a_boost(void)
{
	static const struct {
		enum boost_end end;
		enum policy_state state;
		enum tokens tokens;
	} rows[] = {
	        {BOOST_GIVEN_BACK, POLICY_UNBOOSTED, TOKENS_KEPT},
	        {BOOST_FORBIDDEN, POLICY_UNBOOSTED, TOKENS_TO_EARN},
	        {BOOST_EXHAUSTED, POLICY_THROTTLED, TOKENS_TO_EARN},
	        {BOOST_FOREIGN, POLICY_FOREIGN, TOKENS_TO_EARN},
	        {BOOST_REFUSED, POLICY_UNBOOSTED, TOKENS_TO_EARN},
	};
	bool seen[_BOOST_END_MAX] = {0};

	CHECK_U64(ARRAY_SIZE(rows), _BOOST_END_MAX);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CHECK(!seen[rows[i].end]);
		seen[rows[i].end] = true;
		CHECK_INT(boost_outcome(rows[i].end).state, rows[i].state);
		CHECK_INT(boost_outcome(rows[i].end).tokens, rows[i].tokens);
	}
}

/* Where a machine begins that needs no event for that: a new vCPU, and each boost and its end. */
static void test_begins(void)
{
	struct host_caps caps = HOST_CAPS_INIT;
	struct policy *policy = policy_new(1, &caps);
	struct turn t = {.now_ns = T0, .event = POLICY_EVENT_LOOK, .vcpu = 0};

	CHECK(policy);
	policy_add(policy, 0, &latency, 0, T0);
	t.policy = policy;
	t.v = &policy->vcpus[0];
	CHECK_INT(t.v->unboosted.reports, REPORTS_ALL);
	CHECK_INT(t.v->unboosted.tokens, TOKENS_TO_EARN);

	for (int end = 0; end < _BOOST_END_MAX; end++) {
		t.v->unboosted.reports = REPORTS_NEITHER;
		t.v->boost.why = POLICY_REASON_WITHIN;
		vcpu_boost(&t);
		CHECK_INT(t.v->view.state, POLICY_ARMED);
		CHECK_INT(t.v->view.reason, POLICY_REASON_WITHIN);
		CHECK_INT(t.v->boosted.watch, WATCH_BY_TIMER);
		CHECK_INT(t.v->boosted.yield, YIELD_NOT_OFFERED);
		t.v->boosted.watch = WATCH_BY_TRACER;
		t.v->boosted.yield = YIELD_DECLINED;
		vcpu_unboost(&t, (enum boost_end)end, POLICY_REASON_AWAKE);
		CHECK_INT(t.v->view.state, boost_outcome((enum boost_end)end).state);
		CHECK_INT(t.v->unboosted.tokens, boost_outcome((enum boost_end)end).tokens);
		CHECK_INT(t.v->unboosted.reports, REPORTS_ALL);
	}
	policy_free(policy);
}

/* ---- the states of policy.h ---- */

#define LATER (T0 + 200 * MS)

/* A vCPU that has entered the state in question long before LATER. */
static struct policy *make_in(enum policy_state state)
{
	struct policy *policy = make_armed();

	switch (state) {
	case POLICY_UNBOOSTED:
		step(policy, POLICY_EVENT_SPIN, running(100 * US), T0 + MS);
		step(policy, POLICY_EVENT_LOOK, running(100 * US), T0 + 100 * MS);
		break;
	case POLICY_ARMED:
		break;
	case POLICY_THROTTLED:
		step(policy, POLICY_EVENT_EXHAUSTED, running(0), T0 + MS);
		break;
	case POLICY_FOREIGN:
		step(policy, POLICY_EVENT_FOREIGN, running(100 * US), T0 + MS);
		break;
	case _POLICY_STATE_MAX:
		break;
	}
	CHECK_STR(policy_state_name(policy_view(policy, 1)->state), policy_state_name(state));
	return policy;
}

/* It runs and has tokens, nothing is in its way, and its guest makes no requests. */
static void test_states(void)
{
	enum { B = POLICY_UNBOOSTED, A = POLICY_ARMED, T = POLICY_THROTTLED, F = POLICY_FOREIGN };
	static const int next[_POLICY_EVENT_MAX][_POLICY_STATE_MAX] = {
	        /* from BASE, ARMED, THROTTLED, FOREIGN */
	        [POLICY_EVENT_LOOK] = {B, A, B, F},
	        [POLICY_EVENT_HALTED] = {B, A, B, F},
	        [POLICY_EVENT_EXHAUSTED] = {B, T, B, F},
	        [POLICY_EVENT_DOMAIN_EXHAUSTED] = {B, T, B, F},
	        [POLICY_EVENT_CPU_EXHAUSTED] = {B, T, B, F},
	        [POLICY_EVENT_SHEET_USED_UP] = {B, T, B, F},
	        [POLICY_EVENT_SOFTIRQD] = {B, A, B, F},
	        [POLICY_EVENT_SHED] = {B, T, B, F},
	        [POLICY_EVENT_FOREIGN] = {B, F, B, F},
	        [POLICY_EVENT_RESCAN] = {B, A, B, B},
	        [POLICY_EVENT_NO_DEADLINE] = {B, T, B, F},
	        [POLICY_EVENT_UNSEEN] = {B, T, B, F},
	        [POLICY_EVENT_URGENT] = {B, A, B, F},
	        [POLICY_EVENT_ORDINARY] = {B, A, B, F},
	        [POLICY_EVENT_HELPER] = {B, A, B, F},
	        [POLICY_EVENT_INTERRUPT] = {B, A, B, F},
	        [POLICY_EVENT_SPIN] = {B, B, B, F},
	        [POLICY_EVENT_SHORT] = {B, A, B, F},
	        [POLICY_EVENT_AWAITED] = {B, A, T, F},
	        [POLICY_EVENT_PULSE_OVER] = {B, A, B, F},
	        [POLICY_EVENT_HELPER_WAITS] = {B, A, B, F},
	        [POLICY_EVENT_MAY_PUSH] = {B, A, B, F},
	};

	for (int event = 0; event < _POLICY_EVENT_MAX; event++) {
		for (int state = 0; state < _POLICY_STATE_MAX; state++) {
			struct policy *policy = make_in((enum policy_state)state);

			step(policy, (enum policy_event)event, running(100 * US), LATER);
			CHECK_STR(policy_state_name(policy_view(policy, 1)->state),
			          policy_state_name((enum policy_state)next[event][state]));
			policy_free(policy);
		}
	}
}

TEST_MAIN(TEST(test_reports), TEST(test_reports_say_what_they_are_called), TEST(test_watch),
          TEST(test_yield), TEST(test_ends_of_a_boost), TEST(test_begins), TEST(test_states))
