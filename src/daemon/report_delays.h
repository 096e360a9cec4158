/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "core/account.h"
#include "util/base.h"

struct cJSON;

/** Adds the object @key: percentiles of delays in us, their count, and @max_us. */
void report_delays(struct cJSON *object, const char *key, const uint32_t counts[PVS_WAIT_BUCKETS],
                   uint64_t max_us);

/** The same of delays whose number is @n: @counts only need the right ratios. */
void report_delays_of(struct cJSON *object, const char *key,
                      const uint32_t counts[PVS_WAIT_BUCKETS], uint64_t max_us, uint64_t n);
