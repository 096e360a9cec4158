/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Private to config/parse*.c. All return 0, or -EBADMSG with the error filled.
 */

#include "config/config.h"
#include "util/json.h"

/** The least burst of anything. */
#define CONFIG_BURST_US_MIN ((int64_t)(PROFILE_BURST_NS_MIN / NSEC_PER_USEC))

/** An integer member of @min..@max; absent: *ret stays. */
int config_get_u32(const struct json_value *object, const char *key, int64_t min, int64_t max,
                   uint32_t *ret, struct json_error *error);

/** A member of @min..@max units of @unit_ns, as nanoseconds; absent: *ret_ns stays. */
int config_get_duration(const struct json_value *object, const char *key, uint64_t unit_ns,
                        int64_t min, int64_t max, uint64_t *ret_ns, struct json_error *error);

/** The object "host"; what it does not name stays. */
int config_parse_host(const struct json_value *value, struct config_host *host,
                      struct json_error *error);
