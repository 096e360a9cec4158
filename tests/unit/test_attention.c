// SPDX-License-Identifier: GPL-2.0-or-later
/* The booster's time has an owner: the share of all, parts, and which domain is not heard. */
#include "policy/attention.h"

#include "test.h"

#define US NSEC_PER_USEC
#define MS NSEC_PER_MSEC
#define T0 (9 * NSEC_PER_SEC)

/* 20 permille of a CPU for @n domains. */
static struct attention *make(unsigned int n)
{
	struct attention *attention = attention_new(64, 20);

	CHECK(attention);
	for (unsigned int i = 0; i < n; i++)
		attention_count(attention, i, 1, T0);
	return attention;
}

/* Charges it with @cost_ns each @step_ns while it is heard. Returns what it got. */
static uint64_t run(struct attention *attention, unsigned int domain, uint64_t from_ns,
                    uint64_t until_ns, uint64_t step_ns, uint64_t cost_ns)
{
	uint64_t used_ns = 0;

	for (uint64_t now = from_ns; now < until_ns; now += step_ns) {
		if (attention_unheard_until_ns(attention, domain, now))
			continue;
		attention_charge(attention, domain, cost_ns, now);
		used_ns += cost_ns;
	}
	return used_ns;
}

/* Alone, it gets the host's share and the two bursts, and no more. */
static void test_share(void)
{
	struct attention *attention = make(1);
	uint64_t used_ns = run(attention, 0, T0, T0 + 10 * NSEC_PER_SEC, 20 * US, 10 * US);

	printf("# %llu us in 10 s\n", (unsigned long long)(used_ns / US));
	CHECK(used_ns <= 200 * MS + 3 * ATTENTION_BURST_NS);
	CHECK(used_ns >= 150 * MS);
	attention_free(attention);
}

/* Beside one that wants all of it, a modest one is always heard: its part is its own. */
static void test_modest_neighbour(void)
{
	struct attention *attention = make(2);
	uint64_t greedy_ns = 0, modest_ns = 0;

	for (uint64_t now = T0; now < T0 + 10 * NSEC_PER_SEC; now += 20 * US) {
		greedy_ns += run(attention, 0, now, now + 1, 1, 10 * US);
		if ((now - T0) % (5 * MS) < 20 * US) { /* 4 permille, of 5 that are its part */
			CHECK_U64(attention_unheard_until_ns(attention, 1, now), 0);
			attention_charge(attention, 1, 20 * US, now);
			modest_ns += 20 * US;
		}
	}
	printf("# greedy %llu us, modest %llu us\n", (unsigned long long)(greedy_ns / US),
	       (unsigned long long)(modest_ns / US));
	CHECK(greedy_ns + modest_ns <= 200 * MS + 4 * ATTENTION_BURST_NS);
	attention_free(attention);
}

/* Many that want all of it: each gets its part, and together they get the host's share. */
static void test_many(void)
{
	struct attention *attention = make(50);
	uint64_t used_ns[50] = {0}, sum_ns = 0;

	for (uint64_t now = T0; now < T0 + 10 * NSEC_PER_SEC; now += 50 * US)
		for (unsigned int i = 0; i < 50; i++)
			used_ns[i] += run(attention, i, now, now + 1, 1, 10 * US);
	for (unsigned int i = 0; i < 50; i++) {
		CHECK(used_ns[i] >= MS); /* its part is 2 ms, less what it did not hear */
		sum_ns += used_ns[i];
	}
	printf("# %llu us in 10 s\n", (unsigned long long)(sum_ns / US));
	CHECK(sum_ns <= 200 * MS + 51 * 2 * ATTENTION_BURST_NS);
	attention_free(attention);
}

/* The pauses grow, up to a limit, and begin anew after a second in which it was heard. */
static void test_pauses(void)
{
	struct attention *attention = make(1);
	uint64_t now = T0, last_ns = 0;

	for (int i = 0; i < 9; i++) {
		uint64_t until_ns;

		for (int charges = 0; charges < 100; charges++)
			attention_charge(attention, 0, MS, now);
		until_ns = attention_unheard_until_ns(attention, 0, now);
		CHECK_U64(until_ns - now,
		          ATTENTION_UNHEARD_NS << MIN(i, ATTENTION_UNHEARD_SHIFT_MAX));
		last_ns = until_ns - now;
		now = until_ns;
	}
	CHECK_U64(last_ns, 256 * MS);
	now += 60 * NSEC_PER_SEC;
	for (int charges = 0; charges < 100; charges++)
		attention_charge(attention, 0, MS, now);
	CHECK_U64(attention_unheard_until_ns(attention, 0, now), now + ATTENTION_UNHEARD_NS);
	attention_free(attention);
}

/* Domains that use different amounts, in all less than the share, are all heard. */
static void test_nothing_is_left_unused(void)
{
	struct attention *attention = make(50);
	uint64_t used_ns = 0;

	/* one takes 9 permille, the others 0.18 each, where a part is 0.2 */
	for (uint64_t now = T0; now < T0 + 10 * NSEC_PER_SEC; now += 100 * US) {
		used_ns += run(attention, 0, now, now + 1, 1, 900);
		if ((now - T0) % (100 * MS) < 5 * MS)
			used_ns += run(attention, 1 + (unsigned int)((now - T0) / (100 * US) % 49),
			               now, now + 1, 1, 18 * US);
	}
	for (unsigned int i = 0; i < 50; i++)
		CHECK_U64(attention_unheard_until_ns(attention, i, T0 + 10 * NSEC_PER_SEC), 0);
	CHECK_U64(used_ns, 90 * MS + 100 * 50 * 18 * US);
	attention_free(attention);
}

/* The ends of its boosts, while it is unheard, take nothing of what all have. */
static void test_ends_are_its_own_debt(void)
{
	struct attention *attention = make(2);
	struct attention_view view;

	for (int charges = 0; charges < 9; charges++)
		attention_charge(attention, 0, MS, T0);
	CHECK(attention_unheard_until_ns(attention, 0, T0));
	for (int charges = 0; charges < 9; charges++)
		attention_charge(attention, 0, MS, T0 + MS);
	attention_read(attention, 0, T0 + MS, &view);
	CHECK(view.unheard);
	CHECK_U64(view.used_ns, 18 * MS);
	CHECK_U64(view.unheard_total, 1);
	/* the other one has its part, a quarter of the burst */
	attention_charge(attention, 1, MS - 1, T0 + MS);
	CHECK_U64(attention_unheard_until_ns(attention, 1, T0 + MS), 0);
	attention_free(attention);
}

/* The smallest share of the most domains still fills, however often it is looked at. */
static void test_small_parts_fill(void)
{
	struct attention *attention = attention_new(1000, 1);
	uint64_t now = T0;

	CHECK(attention);
	for (unsigned int i = 0; i < 1000; i++)
		attention_count(attention, i, 1, now);
	for (int charges = 0; charges < 9; charges++)
		attention_charge(attention, 0, 4 * MS, now);
	while (now < T0 + 20000 * NSEC_PER_SEC) {
		now += 7 * MS;
		attention_charge(attention, 0, 0, now);
	}
	for (int charges = 0; charges < 9; charges++)
		attention_charge(attention, 1, 4 * MS, now);
	CHECK(attention_unheard_until_ns(attention, 1, now));
	attention_charge(attention, 0, ATTENTION_PART_BURST_MIN_NS - 1, now);
	CHECK_U64(attention_unheard_until_ns(attention, 0, now), 0);
	attention_free(attention);
}

/* The largest share, after a pause of any length: the product of both must fit. */
static void test_long_pause(void)
{
	for (uint64_t pause_ns = NSEC_PER_SEC; pause_ns < 1000000 * NSEC_PER_SEC; pause_ns *= 3) {
		struct attention *attention = attention_new(1, 1000);

		CHECK(attention);
		attention_count(attention, 0, 1, T0);
		for (int charges = 0; charges < 9; charges++)
			attention_charge(attention, 0, 4 * MS, T0);
		attention_charge(attention, 0, 3 * MS, T0 + pause_ns);
		CHECK_U64(attention_unheard_until_ns(attention, 0, T0 + pause_ns), 0);
		attention_free(attention);
	}
}

/* To come and go gains nothing. */
static void test_leaving_does_not_pay(void)
{
	struct attention *attention = make(1);
	uint64_t now = T0;

	for (int i = 0; i < 9; i++)
		attention_charge(attention, 0, 4 * MS, now);
	CHECK(attention_unheard_until_ns(attention, 0, now));
	attention_count(attention, 0, -1, now);
	attention_count(attention, 0, 1, now);
	CHECK(attention_unheard_until_ns(attention, 0, now));
	attention_free(attention);
}

TEST_MAIN(TEST(test_share), TEST(test_modest_neighbour), TEST(test_many), TEST(test_pauses),
          TEST(test_nothing_is_left_unused), TEST(test_ends_are_its_own_debt),
          TEST(test_small_parts_fill), TEST(test_long_pause), TEST(test_leaving_does_not_pay))
