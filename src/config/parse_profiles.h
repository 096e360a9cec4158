/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The object "profiles" of the configuration. Returns 0, or sets *error and returns -EBADMSG, or
 * -ENOMEM when out of memory.
 */

#include "config/tables.h"
#include "util/json.h"

/** Parses it. Settings that it does not name are unchanged. */
int config_parse_profiles(const struct json_value *value, struct config *config,
                          struct json_error *error);

/** Parses "share_permille" and "burst_us", with their locations. Absent ones are unchanged. */
int config_parse_figures(const struct json_value *value, struct profile *profile,
                         struct config_figures *figures, struct json_error *error);

/** Gets the index of the profile that a string names. */
int config_get_profile(const struct json_value *value, const struct config *config, size_t *ret,
                       struct json_error *error);
