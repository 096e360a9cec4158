// SPDX-License-Identifier: GPL-2.0-or-later
/* When the circuit breaker opens, and how it closes by itself. */
#include "policy/breaker.h"

#include "test.h"

#define S      NSEC_PER_SEC
#define WINDOW BREAKER_WINDOW_NS
#define T0     (7 * S)

static void check_state(const struct breaker *breaker, enum breaker_state state, uint64_t next_ns)
{
	CHECK_STR(breaker_state_name(breaker->state), breaker_state_name(state));
	CHECK_U64(breaker_next_ns(breaker), next_ns);
}

static void test_three_ends_open_it(void)
{
	struct breaker b = {0};

	CHECK(!breaker_count_end(&b, T0));
	CHECK(!breaker_count_end(&b, T0 + 1));
	check_state(&b, BREAKER_CLOSED, NSEC_NEVER);
	CHECK(breaker_count_end(&b, T0 + WINDOW - 1));
	check_state(&b, BREAKER_OPEN, T0 + WINDOW - 1 + WINDOW);
	CHECK(!breaker_count_end(&b, T0 + WINDOW)); /* said once */
	check_state(&b, BREAKER_OPEN, T0 + WINDOW - 1 + WINDOW);
}

static void test_ends_are_forgotten(void)
{
	struct breaker b = {0};

	for (uint64_t i = 0; i < 20; i++)
		CHECK(!breaker_count_end(&b, T0 + i * WINDOW / 2));
	CHECK_INT(breaker_recent_ends(&b, T0 + 19 * WINDOW / 2), 2);
	CHECK_INT(breaker_recent_ends(&b, T0 + 30 * WINDOW), 0);
}

/* A host that stands still for a moment is no daemon that fails. */
static void test_twenty_acts_open_it(void)
{
	struct breaker b = {0};

	for (uint64_t i = 1; i < BREAKER_ACTS; i++)
		CHECK(!breaker_count_act(&b, T0 + i * S));
	CHECK(!breaker_count_end(&b, T0 + 50 * S)); /* counted apart */
	CHECK_INT(breaker_recent_acts(&b, T0 + 60 * S), BREAKER_ACTS - 1);
	CHECK(breaker_count_act(&b, T0 + 60 * S));
	check_state(&b, BREAKER_OPEN, T0 + 60 * S + WINDOW);
}

static void open_it(struct breaker *b, uint64_t now_ns)
{
	while (b->state != BREAKER_OPEN)
		breaker_count_end(b, now_ns);
}

static void test_closes_by_itself(void)
{
	struct breaker b = {0};
	uint64_t now = T0;

	open_it(&b, now);
	CHECK(!breaker_look(&b, now + WINDOW - 1));
	now += WINDOW;
	CHECK(breaker_look(&b, now));
	check_state(&b, BREAKER_HALF_OPEN, now + WINDOW);
	CHECK_INT(breaker_recent_ends(&b, now), 0);
	CHECK(!breaker_count_act(&b, now + 1)); /* it is not that which is on probation */
	CHECK(!breaker_look(&b, now + WINDOW - 1));
	CHECK(breaker_look(&b, now + WINDOW));
	check_state(&b, BREAKER_CLOSED, NSEC_NEVER);
	CHECK(!breaker_look(&b, now + 9 * WINDOW));
	open_it(&b, now + 9 * WINDOW);
	check_state(&b, BREAKER_OPEN, now + 10 * WINDOW); /* as at the first time */
}

/* A fault that comes back is given ever longer, and at most 80 minutes. */
static void test_probation_fails(void)
{
	static const unsigned int windows[] = {1, 2, 4, 8, 8, 8};
	struct breaker b = {0};
	uint64_t now = T0;

	open_it(&b, now);
	for (size_t i = 0; i < ARRAY_SIZE(windows); i++) {
		check_state(&b, BREAKER_OPEN, now + windows[i] * WINDOW);
		now += windows[i] * WINDOW;
		CHECK(breaker_look(&b, now));
		now += WINDOW - 1;
		CHECK(breaker_count_end(&b, now));
	}
}

TEST_MAIN(TEST(test_three_ends_open_it), TEST(test_ends_are_forgotten),
          TEST(test_twenty_acts_open_it), TEST(test_closes_by_itself), TEST(test_probation_fails))
