/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The token bucket and the histogram of delays: arithmetic that the tracer, the policy and the
 * simulator share. Needs only src/core/.
 */
#include "core/bucket.h"
#include "core/account.h"

#include "test.h"

#define US 1000ULL
#define MS 1000000ULL
#define S  1000000000ULL

static const struct pvs_bucket_rule latency = {.burst_ns = 500 * US, .share_permille = 200};

static void test_full(void)
{
	CHECK_INT(pvs_bucket_tokens(&latency, 0, 0), 500 * US);
	CHECK_INT(pvs_bucket_tokens(&latency, 0, S), 500 * US);
	CHECK_INT(pvs_bucket_tokens(&latency, S, S), 500 * US);
	CHECK_INT(pvs_bucket_tokens(&latency, S, S + 1), 500 * US);
	/* 1 ns of charge takes 5 ns to repay; tokens are rounded down in the debtor's favour by < 1
	 * ns */
	CHECK_INT(pvs_bucket_tokens(&latency, S + 5, S), 500 * US - 1);
}

static void test_charge_and_refill(void)
{
	__u64 repaid = pvs_bucket_charge(&latency, 0, S, 100 * US);

	CHECK_U64(repaid, S + 500 * US);
	CHECK_INT(pvs_bucket_tokens(&latency, repaid, S), 400 * US);
	CHECK_INT(pvs_bucket_tokens(&latency, repaid, S + 250 * US), 450 * US);
	CHECK_INT(pvs_bucket_tokens(&latency, repaid, S + 500 * US), 500 * US);

	/* a second one adds to what is owed, a late one starts from now: no credit beyond the burst
	 */
	CHECK_U64(pvs_bucket_charge(&latency, repaid, S + 100 * US, 100 * US), S + 1000 * US);
	CHECK_U64(pvs_bucket_charge(&latency, repaid, 2 * S, 100 * US), 2 * S + 500 * US);
	CHECK_U64(pvs_bucket_charge(&latency, repaid, S, 0), repaid);
}

static void test_empty_and_debt(void)
{
	__u64 repaid = pvs_bucket_charge(&latency, 0, S, 500 * US);

	CHECK_INT(pvs_bucket_tokens(&latency, repaid, S), 0);
	repaid = pvs_bucket_charge(&latency, repaid, S, 100 * US);
	CHECK_INT(pvs_bucket_tokens(&latency, repaid, S), -(int64_t)(100 * US));
	CHECK_INT(pvs_bucket_tokens(&latency, repaid, S + 500 * US), 0);
	CHECK_INT(pvs_bucket_tokens(&latency, repaid, S + 3 * MS), 500 * US);
}

static void test_full_share(void)
{
	struct pvs_bucket_rule rule = {.burst_ns = MS, .share_permille = 1000};

	CHECK_U64(pvs_bucket_charge(&rule, 0, S, MS), S + MS);
	CHECK_INT(pvs_bucket_tokens(&rule, S + MS, S), 0);
}

static void test_debt_is_bounded(void)
{
	struct pvs_bucket_rule least = {.burst_ns = 10 * MS, .share_permille = 1};
	__u64 repaid = 0;

	CHECK_U64(pvs_bucket_charge(&latency, 0, S, 100 * S), S + PVS_BUCKET_DEBT_MAX_NS);
	CHECK_U64(pvs_bucket_charge(&latency, 0, S, UINT64_MAX), S + PVS_BUCKET_DEBT_MAX_NS);
	CHECK_U64(pvs_bucket_charge(&least, 0, S, UINT64_MAX), S + PVS_BUCKET_DEBT_MAX_NS);
	for (int i = 0; i < 1000; i++)
		repaid = pvs_bucket_charge(&latency, repaid, S, S);
	CHECK_U64(repaid, S + PVS_BUCKET_DEBT_MAX_NS);
	CHECK_INT(pvs_bucket_tokens(&latency, repaid, S),
	          (int64_t)(500 * US) - (int64_t)(PVS_BUCKET_DEBT_MAX_NS / 5));

	/* whatever stands in the word: no overflow, an empty bucket */
	CHECK_INT(pvs_bucket_tokens(&latency, UINT64_MAX, 0),
	          (int64_t)(500 * US) - (int64_t)(2 * PVS_BUCKET_DEBT_MAX_NS / 5));
	CHECK(pvs_bucket_tokens(&least, UINT64_MAX, S) <= 0);
}

static void test_any_window(void)
{
	/* greedy: takes 50 us whenever that much is there; never more than burst + share * time */
	__u64 repaid = 0, taken = 0;

	for (__u64 now = S; now < 2 * S; now += 10 * US) {
		if (pvs_bucket_tokens(&latency, repaid, now) >= (int64_t)(50 * US)) {
			repaid = pvs_bucket_charge(&latency, repaid, now, 50 * US);
			taken += 50 * US;
		}
		CHECK_LE(taken, 500 * US + (now - S) / 5);
	}
	CHECK_GE(taken, 199 * MS); /* and not less either */
}

static void test_price(void)
{
	CHECK_U64(pvs_bucket_price(&latency, 100 * US, 0), 100 * US);
	CHECK_U64(pvs_bucket_price(&latency, 100 * US, 1000), 100 * US);
	CHECK_U64(pvs_bucket_price(&latency, 100 * US, 200), 100 * US);
	CHECK_U64(pvs_bucket_price(&latency, 100 * US, 100), 200 * US);
	CHECK_U64(pvs_bucket_price(&latency, 100 * US, 1), 20 * MS);
	CHECK_U64(pvs_bucket_price(&latency, 0, 1), 0);
}

static void test_wait_buckets(void)
{
	__u32 before = 0;

	for (__u64 us = 0; us < (1ULL << 21); us += 1 + us / 64) {
		__u32 index = pvs_wait_bucket(us * 1000);

		CHECK(index < PVS_WAIT_BUCKETS);
		CHECK_GE(index, before);
		CHECK(us < pvs_wait_bucket_limit_us(index));
		if (index > 0)
			CHECK_GE(us, pvs_wait_bucket_limit_us(index - 1));
		/* never coarser than a quarter of the value */
		if (us >= 4)
			CHECK_LE((pvs_wait_bucket_limit_us(index) - us) * 4, us + 4);
		before = index;
	}
	CHECK_INT(before, PVS_WAIT_BUCKETS - 1);
}

static void test_wait_limits(void)
{
	for (__u32 i = 0; i < PVS_WAIT_BUCKETS; i++) {
		__u64 limit = pvs_wait_bucket_limit_us(i);

		CHECK_INT(pvs_wait_bucket(limit * 1000 - 1), i);
		if (i + 1 < PVS_WAIT_BUCKETS) {
			CHECK(limit < pvs_wait_bucket_limit_us(i + 1));
			CHECK_INT(pvs_wait_bucket(limit * 1000), i + 1);
		}
	}
	CHECK_INT(pvs_wait_bucket(0), 0);
	CHECK_INT(pvs_wait_bucket(999), 0);
	CHECK_U64(pvs_wait_bucket_limit_us(PVS_WAIT_BUCKETS - 1), 1ULL << 21);
	/* the last one takes the rest */
	CHECK_INT(pvs_wait_bucket((1ULL << 21) * 1000), PVS_WAIT_BUCKETS - 1);
	CHECK_INT(pvs_wait_bucket(UINT64_MAX), PVS_WAIT_BUCKETS - 1);
}

static void test_share_zero_refuses(void)
{
	struct pvs_bucket_rule nothing = {.burst_ns = 500 * US, .share_permille = 0};
	__u64 repaid = pvs_bucket_charge(&nothing, 0, S, US);

	/* a division by zero would not get here */
	CHECK(repaid > S);
	CHECK(pvs_bucket_tokens(&nothing, 0, S) <= 0);
	CHECK(pvs_bucket_tokens(&nothing, repaid, S) <= 0);
}

static void test_damaged_word_stays_a_debt(void)
{
	__u64 repaid;

	for (__u64 off = 0; off < 64; off++) {
		repaid = pvs_bucket_charge(&latency, UINT64_MAX - off, S, 100 * US);
		CHECK_U64(repaid, S + PVS_BUCKET_DEBT_MAX_NS);
	}
	/* at the end of time as well */
	repaid = pvs_bucket_charge(&latency, 0, UINT64_MAX - S, 500 * US);
	CHECK(pvs_bucket_tokens(&latency, repaid, UINT64_MAX - S) <= 0);
}

TEST_MAIN({"full", test_full}, {"charge_and_refill", test_charge_and_refill},
          {"empty_and_debt", test_empty_and_debt}, {"full_share", test_full_share},
          {"debt_is_bounded", test_debt_is_bounded}, {"any_window", test_any_window},
          {"price", test_price}, {"wait_buckets", test_wait_buckets},
          {"wait_limits", test_wait_limits},
          {"damaged_word_stays_a_debt", test_damaged_word_stays_a_debt},
          {"share_zero_refuses", test_share_zero_refuses})
