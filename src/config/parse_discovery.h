/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Where domains are looked for. Returns 0, or sets *error and returns -EBADMSG, or -ENOMEM when out
 * of memory.
 */

#include "config/tables.h"
#include "util/json.h"

/** Parses the members discovery, qemu_executables and qemu_users of the object "host". */
int config_parse_discovery(const struct json_value *value, struct config_host *host,
                           struct json_error *error);
