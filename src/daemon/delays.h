/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Percentiles out of the tracer's delay buckets (pvs_wait_bucket() in src/core/account.h).
 * Pure.
 */

#include "core/account.h"
#include "util/base.h"

/**
 * The delay in us that @permille of the entries do not exceed: the upper limit of the bucket it
 * lies in, so at most a quarter too high, never too low. 0 when there are no entries.
 */
uint64_t delays_percentile_us(const uint32_t counts[PVS_WAIT_BUCKETS], uint32_t permille);

uint64_t delays_count(const uint32_t counts[PVS_WAIT_BUCKETS]);
