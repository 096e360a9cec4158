// SPDX-License-Identifier: GPL-2.0-or-later
/* Requests a second of each user. */
#include "control/rate.h"

#include "test.h"

#define T0   (100 * NSEC_PER_SEC)
#define COST (NSEC_PER_SEC / CONTROL_RATE_PER_S)

static struct control_rate rate;

static unsigned int taken(uid_t uid, unsigned int n, uint64_t now_ns)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < n; i++)
		count += control_rate_take(&rate, uid, now_ns);
	return count;
}

static void test_a_burst_then_the_rate(void)
{
	rate = (struct control_rate){0};
	CHECK_INT(taken(1000, 200, T0), CONTROL_RATE_PER_S);
	CHECK_INT(taken(1001, 3, T0), 3); /* another user */
	CHECK_INT(taken(0, 1000, T0), 1000);
	CHECK_INT(taken(1000, 1, T0 + COST - 1), 0);
	CHECK_INT(taken(1000, 2, T0 + COST), 1);
	CHECK_INT(taken(1000, 200, T0 + COST + 10 * COST), 10);
	CHECK_INT(taken(1000, 200, T0 + 60 * NSEC_PER_SEC), CONTROL_RATE_PER_S);
}

/* More users than are told apart: a new one has the debt of the one whose place it takes. */
static void test_many_users(void)
{
	rate = (struct control_rate){0};
	for (uid_t uid = 1; uid <= CONTROL_RATE_USERS; uid++)
		CHECK_INT(taken(uid, 100, T0), CONTROL_RATE_PER_S);
	for (uid_t uid = 1000; uid < 2000; uid++)
		CHECK_INT(taken(uid, 100, T0), 0);
	CHECK_INT(taken(5000, 100, T0 + 2 * NSEC_PER_SEC), CONTROL_RATE_PER_S);
}

/* Requests that take long make their user wait for ten times as long. */
static void test_long_requests(void)
{
	const uint64_t used_ns = 60 * NSEC_PER_MSEC;
	uint64_t now_ns = T0, sum_ns = 0;

	rate = (struct control_rate){0};
	while (now_ns < T0 + 20 * NSEC_PER_SEC) {
		if (taken(1000, 1, now_ns) == 0) {
			now_ns += NSEC_PER_MSEC;
			continue;
		}
		now_ns += used_ns;
		sum_ns += used_ns;
		control_rate_charge(&rate, 1000, used_ns, now_ns);
	}
	printf("# %.3f s of 20\n", (double)sum_ns / NSEC_PER_SEC);
	CHECK_LE(sum_ns, 20 * NSEC_PER_SEC / CONTROL_RATE_WAITS + 3 * used_ns);
	CHECK_INT(taken(1001, 200, now_ns), CONTROL_RATE_PER_S);
	control_rate_charge(&rate, 0, NSEC_PER_SEC, now_ns);
	CHECK_INT(taken(0, 200, now_ns), 200);
	/* a short one costs what it did before */
	rate = (struct control_rate){0};
	CHECK_INT(taken(1000, 1, T0), 1);
	control_rate_charge(&rate, 1000, COST / CONTROL_RATE_WAITS, T0);
	CHECK_INT(taken(1000, 200, T0), CONTROL_RATE_PER_S - 1);
}

TEST_MAIN(TEST(test_long_requests), TEST(test_a_burst_then_the_rate), TEST(test_many_users))
