/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The object "host" of the configuration. Returns 0, or sets *error and returns -EBADMSG, or
 * -ENOMEM when out of memory.
 */

#include "config/tables.h"
#include "util/json.h"

/** Parses it. Settings that it does not name are unchanged. */
int config_parse_host(const struct json_value *value, struct config_host *host,
                      struct json_error *error);
