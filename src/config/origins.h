/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Private to config/: where the values outside of "domains" are set, by their JSON path. */

#include "config/tables.h"
#include "util/json.h"

/** Notes all of a configuration's root. Returns 0; -ENOMEM with an error. */
int config_note_origins(const struct json_value *root, struct config *config,
                        struct json_error *error);

/** The place of a path; line 0: no file sets it. */
struct config_where config_origin_of(const struct config *config, const char *path);
