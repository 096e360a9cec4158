/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Prints what `policies`, `policy list`, `policy set --dry-run` and `config` answer. */

#include <stdio.h>

#include "util/json.h"

void render_policies(const struct json_value *result, FILE *out);
void render_dry_run(const struct json_value *result, FILE *out);
void render_config(const struct json_value *result, FILE *out);

void render_kinds(const struct json_value *result, FILE *out);
