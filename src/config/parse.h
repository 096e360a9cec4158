/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Private to config/parse*.c. All return 0, or -EBADMSG with the error filled.
 */

#include "config/config.h"
#include "config/tables.h"
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

/** Of the object "host": discovery, qemu_executables, qemu_users. */
int config_parse_discovery(const struct json_value *value, struct config_host *host,
                           struct json_error *error);

/** The object "profiles": what it does not name stays. */
int config_parse_profiles(const struct json_value *value, struct config *config,
                          struct json_error *error);

/** The object "domains"; profiles and the default profile are there already. */
int config_parse_domains(const struct json_value *value, struct config *config,
                         struct json_error *error);

/** "share_permille" and "burst_us" of an object, and where they stand; what is absent stays. */
int config_parse_figures(const struct json_value *value, struct profile *profile,
                         struct config_figures *figures, struct json_error *error);

/** The place of the profile that a string names. */
int config_get_profile(const struct json_value *value, const struct config *config, size_t *ret,
                       struct json_error *error);

/** Where a value stands; nowhere for NULL. */
struct config_where config_where(const struct json_value *value);

/** Members of an object without its annotations. */
size_t config_count_members(const struct json_value *value);

/** Fills the error, returns -ENOMEM. */
int config_out_of_memory(struct json_error *error);
