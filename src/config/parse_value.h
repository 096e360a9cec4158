/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What all parsers of config/ need to read one value. Functions that return int return 0, or set
 * *error and return -EBADMSG, or -ENOMEM when out of memory.
 */

#include "config/tables.h"
#include "util/json.h"

/** The minimum of every burst. */
#define CONFIG_BURST_US_MIN ((int64_t)(PROFILE_BURST_NS_MIN / NSEC_PER_USEC))

/** Reads an integer member, @min..@max. If absent, *ret is unchanged. */
int config_get_u32(const struct json_value *object, const char *key, int64_t min, int64_t max,
                   uint32_t *ret, struct json_error *error);

/** Reads a member of @min..@max units of @unit_ns each. If absent, *ret_ns is unchanged. */
int config_get_duration(const struct json_value *object, const char *key, uint64_t unit_ns,
                        int64_t min, int64_t max, uint64_t *ret_ns, struct json_error *error);

/** Location of a value; line 0 for NULL. */
struct config_where config_where(const struct json_value *value);

/** Number of members of an object, without its annotations. */
size_t config_count_members(const struct json_value *value);

/** Sets *error and returns -ENOMEM. */
int config_out_of_memory(struct json_error *error);
