// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/delays.h"

#include "test.h"

static void test_empty(void)
{
	uint32_t counts[PVS_WAIT_BUCKETS] = {0};

	CHECK_U64(delays_percentile_us(counts, 500), 0);
	CHECK_U64(delays_count(counts), 0);
}

/* Never below the true percentile, at most a quarter and one microsecond above it. */
static void test_error_is_bounded(void)
{
	for (uint64_t us = 0; us < 2000000; us = us * 9 / 8 + 1) {
		uint32_t counts[PVS_WAIT_BUCKETS] = {0};
		uint64_t found;

		counts[pvs_wait_bucket(us * 1000)] = 1;
		found = delays_percentile_us(counts, 990);
		CHECK_GE(found, us);
		CHECK_LE(found, us + us / 4 + 1);
	}
}

static void test_ranks(void)
{
	uint32_t counts[PVS_WAIT_BUCKETS] = {0};

	counts[pvs_wait_bucket(2000)] = 990;
	counts[pvs_wait_bucket(1000000)] = 10;
	CHECK_U64(delays_percentile_us(counts, 500), 3);
	CHECK_U64(delays_percentile_us(counts, 990), 3);
	CHECK_GE(delays_percentile_us(counts, 991), 1000);
	CHECK_U64(delays_count(counts), 1000);
}

TEST_MAIN({"empty", test_empty}, {"error_is_bounded", test_error_is_bounded}, {"ranks", test_ranks})
