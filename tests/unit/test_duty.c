// SPDX-License-Identifier: GPL-2.0-or-later
/* Work that others cause at any rate takes its part of a CPU, and no more. */
#include "util/duty.h"

#include "test.h"

#define T0 (50 * NSEC_PER_SEC)

/* Works whenever it may. Returns the time that it took. */
static uint64_t work(struct duty *duty, uint64_t from_ns, uint64_t until_ns, uint64_t cost_ns)
{
	uint64_t used_ns = 0;

	for (uint64_t now = from_ns; now < until_ns; now = MAX(now, duty_next_ns(duty))) {
		now += cost_ns;
		used_ns += cost_ns;
		duty_use(duty, cost_ns, now);
	}
	return used_ns;
}

static void test_long_run(void)
{
	static const uint64_t costs[] = {20 * NSEC_PER_USEC, NSEC_PER_MSEC, 300 * NSEC_PER_MSEC};

	for (size_t i = 0; i < ARRAY_SIZE(costs); i++) {
		struct duty duty = {0};
		uint64_t used_ns = work(&duty, T0, T0 + 100 * NSEC_PER_SEC, costs[i]);

		printf("# %llu us\n", (unsigned long long)(used_ns / NSEC_PER_USEC));
		CHECK(used_ns <= 100 * NSEC_PER_SEC / DUTY_REST + DUTY_BURST_NS + 2 * costs[i]);
		CHECK(used_ns >= 100 * NSEC_PER_SEC / (DUTY_REST + 20));
	}
}

/* What comes now and then never waits. */
static void test_now_and_then(void)
{
	struct duty duty = {0};

	for (uint64_t now = T0; now < T0 + 100 * NSEC_PER_SEC; now += NSEC_PER_SEC) {
		CHECK(duty_next_ns(&duty) <= now);
		duty_use(&duty, 3 * NSEC_PER_MSEC, now);
	}
}

/* The burst comes back after a rest, and is no larger for a longer one. */
static void test_burst(void)
{
	struct duty duty = {0};

	CHECK_U64(duty_next_ns(&duty), 0);
	duty_use(&duty, DUTY_BURST_NS, T0);
	CHECK(duty_next_ns(&duty) <= T0);
	duty_use(&duty, NSEC_PER_USEC, T0);
	CHECK_U64(duty_next_ns(&duty), T0 + DUTY_REST * NSEC_PER_USEC);
	duty_use(&duty, 2 * DUTY_BURST_NS, T0 + 1000 * NSEC_PER_SEC);
	CHECK_U64(duty_next_ns(&duty), T0 + 1000 * NSEC_PER_SEC + DUTY_REST * DUTY_BURST_NS);
}

TEST_MAIN(TEST(test_long_run), TEST(test_now_and_then), TEST(test_burst))
