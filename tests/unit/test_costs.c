// SPDX-License-Identifier: GPL-2.0-or-later
/* Prices that follow from what a machine takes, and what is learned of that while boosts are out.
 */
#include "core/costs.h"

#include "test.h"

#define US 1000U

/* What was not measured, or is not known, leaves what is usual. */
static void test_usual(void)
{
	const struct pvs_costs none = {0}, no_timer = {.wake_ns = 2 * US, .call_ns = US};
	const struct pvs_prices zeroed = {0};
	struct pvs_prices prices = pvs_prices_of(&none);

	CHECK_U64(prices.charge_min_ns, PVS_CHARGE_MIN_NS);
	CHECK_U64(prices.tokens_min_ns, PVS_TOKENS_MIN_NS);
	CHECK_U64(prices.switch_ns, 0);
	CHECK_U64(pvs_charge_min_ns(&zeroed), PVS_CHARGE_MIN_NS);
	CHECK_U64(pvs_tokens_min_ns(&zeroed), PVS_TOKENS_MIN_NS);
	prices = pvs_prices_of(&no_timer);
	CHECK_U64(prices.charge_min_ns, 2 * US * PVS_CHARGE_WAKES + PVS_CHARGE_CACHES_NS);
	CHECK_U64(prices.tokens_min_ns, PVS_TOKENS_MIN_NS);
}

/* A slower machine has no lower price, and none leaves its bounds. */
static void test_follow_from_costs(void)
{
	struct pvs_prices before = {0}, prices;

	for (uint32_t ns = 100; ns < 1000 * US; ns += ns / 8) {
		const struct pvs_costs costs = {.wake_ns = ns, .call_ns = ns, .timer_ns = 3 * ns};

		prices = pvs_prices_of(&costs);
		CHECK(prices.charge_min_ns >= before.charge_min_ns);
		CHECK(prices.tokens_min_ns >= before.tokens_min_ns);
		CHECK(prices.charge_min_ns >= PVS_CHARGE_LEAST_NS);
		CHECK(prices.charge_min_ns <= PVS_CHARGE_MOST_NS);
		CHECK(prices.tokens_min_ns >= PVS_TOKENS_LEAST_NS);
		CHECK(prices.tokens_min_ns <= PVS_TOKENS_MOST_NS);
		before = prices;
	}
	CHECK_U64(before.charge_min_ns, PVS_CHARGE_MOST_NS);
	CHECK_U64(before.tokens_min_ns, PVS_TOKENS_MOST_NS);
	prices = pvs_prices_of(&(struct pvs_costs){UINT32_MAX, UINT32_MAX, UINT32_MAX});
	CHECK_U64(prices.charge_min_ns, PVS_CHARGE_MOST_NS);
	CHECK_U64(prices.tokens_min_ns, PVS_TOKENS_MOST_NS);
}

/* A CPU is charged what its vCPU is, or what others lose, which is more for all but short runs. */
static void test_of_a_cpu(void)
{
	const struct pvs_prices usual = {0}, zeroed = pvs_prices_of(&(struct pvs_costs){0}),
	                        measured = pvs_prices_of(&(struct pvs_costs){.wake_ns = 2 * US});

	CHECK_U64(measured.switch_ns, 4 * US);
	CHECK_U64(measured.charge_min_ns, 14 * US);
	CHECK_U64(pvs_cpu_price(&measured, 14 * US, US), 14 * US);
	CHECK_U64(pvs_cpu_price(&measured, 14 * US, 10 * US), 14 * US);
	CHECK_U64(pvs_cpu_price(&measured, 20 * US, 20 * US), 24 * US);
	CHECK_U64(pvs_cpu_price(&usual, 30 * US, 20 * US), 30 * US);
	CHECK_U64(pvs_cpu_price(&zeroed, 50 * US, 50 * US), 50 * US);
}

/* Of samples of which one in @slow_of is not ten times as slow. */
static uint32_t learn(uint32_t known_ns, uint32_t took_ns, unsigned int slow_of, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		known_ns = pvs_wake_learn(known_ns,
		                          slow_of && i % slow_of ? 10ULL * took_ns : took_ns);
	return known_ns;
}

/* A neighbour that thrashes the caches makes most wake-ups slow, and not the figure. */
static void test_low_quantile(void)
{
	uint32_t known_ns = learn(0, 2 * US, 0, 1), quiet_ns;

	CHECK_U64(known_ns, 2 * US);
	quiet_ns = learn(known_ns, 2 * US, 0, 5000);
	CHECK_U64(quiet_ns, 2 * US);
	CHECK(learn(quiet_ns, 2 * US, 2, 5000) < quiet_ns + quiet_ns / 4);
	CHECK(learn(quiet_ns, 2 * US, 8, 5000) < quiet_ns + quiet_ns / 2);
	/* a machine that has become slower is */
	CHECK_U64(learn(quiet_ns, 6 * US, 0, 5000), 6 * US);
	CHECK_U64(learn(6 * US, 2 * US, 0, 5000), 2 * US);
	/* nonsense is bounded */
	CHECK(learn(0, 0, 0, 10) > 0);
	CHECK(pvs_wake_learn(0, UINT64_MAX) <= 1000000000U);
	CHECK(pvs_wake_learn(UINT32_MAX, UINT64_MAX) <= UINT32_MAX);
}

static void test_pace(void)
{
	const struct pvs_costs start = {.wake_ns = 2000, .call_ns = 1000, .timer_ns = 8000};
	struct pvs_pace pace = {0};
	struct pvs_costs now = pvs_costs_at(&start, &pace);

	CHECK_U64(now.wake_ns, 2000);
	pvs_pace_follow(&pace, 0); /* nothing was seen */
	CHECK_U64(pace.permille, 1000);
	pvs_pace_follow(&pace, 3000); /* the first one is the measure */
	CHECK_U64(pace.permille, 1000);
	pvs_pace_follow(&pace, 6000);
	CHECK_U64(pace.permille, 1125); /* slowly */
	for (int i = 0; i < 200; i++)
		pvs_pace_follow(&pace, 6000);
	CHECK_U64(pace.permille, 2000);
	now = pvs_costs_at(&start, &pace);
	CHECK_U64(now.wake_ns, 4000);
	CHECK_U64(now.call_ns, 2000);
	CHECK_U64(now.timer_ns, 16000);
	pvs_pace_follow(&pace, 0);
	CHECK_U64(pace.permille, 2000);
	for (int i = 0; i < 200; i++)
		pvs_pace_follow(&pace, UINT32_MAX);
	CHECK_U64(pace.permille, PVS_PACE_MOST);
	for (int i = 0; i < 200; i++)
		pvs_pace_follow(&pace, 1);
	CHECK_U64(pace.permille, PVS_PACE_LEAST);
}

TEST_MAIN(TEST(test_usual), TEST(test_follow_from_costs), TEST(test_of_a_cpu),
          TEST(test_low_quantile), TEST(test_pace))
