/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Interrupts, spinning and pushes: parts of show, explain and status. */

#include <stdio.h>

#include "util/json.h"

/** Of each vCPU: the table of `show`. */
void render_interrupts(const struct json_value *vcpus, FILE *out);

/** Of one vCPU: what the policy did because of them, for `explain`. */
void render_signs(const struct json_value *vcpu, FILE *out);

/** Lines about how often it waited for another vCPU, and what was done about that. */
void render_help(const struct json_value *vcpu, FILE *out);

/** Of the whole host, for `status`. */
void render_interrupt_counts(const struct json_value *events, FILE *out);
