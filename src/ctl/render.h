/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Prints answers of the daemon as text. It escapes all text from outside.
 */

#include <stdio.h>

#include "ctl/args.h"
#include "ctl/terminal.h"
#include "util/json.h"

/** Prints the result of any verb except doctor, attach and detach. */
void ctl_render(const struct ctl_args *args, const struct json_value *result, FILE *out,
                const struct terminal *terminal);

/* One function for each kind of result. */
void render_status(const struct json_value *result, FILE *out);
void render_list(const struct json_value *result, FILE *out);
void render_show(const struct json_value *result, FILE *out);
void render_explain(const struct json_value *result, FILE *out);
void render_policy(const struct json_value *result, FILE *out);
void render_message(const struct json_value *result, FILE *out);
