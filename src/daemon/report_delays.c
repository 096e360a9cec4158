/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/report_delays.h"

#include <cjson/cJSON.h>

#include "daemon/delays.h"
#include "daemon/report_json.h"

void report_delays(cJSON *object, const char *key, const uint32_t counts[PVS_WAIT_BUCKETS],
                   uint64_t max_us)
{
	report_delays_of(object, key, counts, max_us, delays_count(counts));
}

void report_delays_of(cJSON *object, const char *key, const uint32_t counts[PVS_WAIT_BUCKETS],
                      uint64_t max_us, uint64_t n)
{
	cJSON *delays = cJSON_AddObjectToObject(object, key);

	report_integer(delays, "p50", (int64_t)delays_percentile_us(counts, 500));
	report_integer(delays, "p99", (int64_t)delays_percentile_us(counts, 990));
	report_integer(delays, "p999", (int64_t)delays_percentile_us(counts, 999));
	report_integer(delays, "max", (int64_t)max_us);
	report_integer(delays, "count", (int64_t)n);
}
