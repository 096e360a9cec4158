/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Prints answers of the daemon as text. It uses no colours and no terminal control, and it escapes
 * all text from outside.
 */

#include <stdio.h>

#include "ctl/args.h"
#include "util/json.h"

/** Prints the result of any verb except doctor, attach and detach. */
void ctl_render(const struct ctl_args *args, const struct json_value *result, FILE *out);

/** Prints a text from outside, escaped. */
void print_escaped(FILE *out, const char *text);

/* One function for each kind of result. */
void render_status(const struct json_value *result, FILE *out);
void render_list(const struct json_value *result, FILE *out);
void render_show(const struct json_value *result, FILE *out);
void render_explain(const struct json_value *result, FILE *out);
void render_policy(const struct json_value *result, FILE *out);
void render_message(const struct json_value *result, FILE *out);
void render_boost(const struct json_value *result, FILE *out);

/* Parts of show, explain and status, in render_interrupts.c. */
void render_interrupts(const struct json_value *vcpus, FILE *out);
void render_signs(const struct json_value *vcpu, FILE *out);
void render_interrupt_counts(const struct json_value *events, FILE *out);

/* Parts of show, in render_page.c. */
void render_carrier(const struct json_value *carrier, FILE *out);
void render_pages(const struct json_value *vcpus, FILE *out);
