// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/delays.h"

uint64_t delays_count(const uint32_t counts[PVS_WAIT_BUCKETS])
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < PVS_WAIT_BUCKETS; i++)
		n += counts[i];
	return n;
}

uint64_t delays_percentile_us(const uint32_t counts[PVS_WAIT_BUCKETS], uint32_t permille)
{
	uint64_t n = delays_count(counts), seen = 0;
	uint64_t rank = (n * permille + 999) / 1000;

	if (n == 0)
		return 0;
	for (uint32_t i = 0; i < PVS_WAIT_BUCKETS; i++) {
		seen += counts[i];
		if (seen >= rank)
			return pvs_wait_bucket_limit_us(i);
	}
	return pvs_wait_bucket_limit_us(PVS_WAIT_BUCKETS - 1);
}
