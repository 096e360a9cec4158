/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Private to config/parse*.c. Functions that return int return 0, or set *error and return
 * -EBADMSG, or -ENOMEM when out of memory.
 */

#include "config/config.h"
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

/** Parses the object "host". Settings that it does not name are unchanged. */
int config_parse_host(const struct json_value *value, struct config_host *host,
                      struct json_error *error);

/** Parses the members discovery, qemu_executables and qemu_users of the object "host". */
int config_parse_discovery(const struct json_value *value, struct config_host *host,
                           struct json_error *error);

/** Parses the object "profiles". Settings that it does not name are unchanged. */
int config_parse_profiles(const struct json_value *value, struct config *config,
                          struct json_error *error);

/** Parses the object "domains", after the profiles and the default profile. */
int config_parse_domains(const struct json_value *value, struct config *config,
                         struct json_error *error);

/** Parses "share_permille" and "burst_us", with their locations. Absent ones are unchanged. */
int config_parse_figures(const struct json_value *value, struct profile *profile,
                         struct config_figures *figures, struct json_error *error);

/** Gets the index of the profile that a string names. */
int config_get_profile(const struct json_value *value, const struct config *config, size_t *ret,
                       struct json_error *error);

/** Location of a value; line 0 for NULL. */
struct config_where config_where(const struct json_value *value);

/** Number of members of an object, without its annotations. */
size_t config_count_members(const struct json_value *value);

/** Sets *error and returns -ENOMEM. */
int config_out_of_memory(struct json_error *error);
