/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Answers of the daemon as text for people. No colours, no terminal control; whatever came from
 * outside is escaped.
 */

#include <stdio.h>

#include "ctl/args.h"
#include "util/json.h"

/** Prints the result of any verb but doctor. */
void ctl_render(const struct ctl_args *args, const struct json_value *result, FILE *out);

/** Prints a text from outside, escaped. */
void print_escaped(FILE *out, const char *text);

/*
 * The parts, one for each shape of result.
 */
void render_status(const struct json_value *result, FILE *out);
void render_list(const struct json_value *result, FILE *out);
void render_show(const struct json_value *result, FILE *out);
void render_explain(const struct json_value *result, FILE *out);
void render_policy(const struct json_value *result, FILE *out);
void render_message(const struct json_value *result, FILE *out);
void render_boost(const struct json_value *result, FILE *out);

/* Of show, explain and status: render_interrupts.c. */
void render_interrupts(const struct json_value *vcpus, FILE *out);
void render_signs(const struct json_value *vcpu, FILE *out);
void render_interrupt_counts(const struct json_value *events, FILE *out);

/* Of show: render_page.c. */
void render_carrier(const struct json_value *carrier, FILE *out);
void render_pages(const struct json_value *vcpus, FILE *out);
