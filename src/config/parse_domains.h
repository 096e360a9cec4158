/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The object "domains" of the configuration. Returns 0, or sets *error and returns -EBADMSG, or
 * -ENOMEM when out of memory.
 */

#include "config/tables.h"
#include "util/json.h"

/** Parses it, after the profiles and the default profile. */
int config_parse_domains(const struct json_value *value, struct config *config,
                         struct json_error *error);
