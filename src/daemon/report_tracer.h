/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* What is told of the tracer: which of its parts the kernel took, and what is lost without others.
 */

#include "trace/tracer.h"

struct cJSON;

/** What the tracer sees, and what is missing, as a sentence. */
void report_tracer_sources(const struct tracer *tracer, char *text, size_t size);

/** Adds "tracer_parts": which of them the kernel took, and what is lost without the others. */
void report_tracer_parts(const struct tracer *tracer, struct cJSON *root);

/** Says in the journal which parts the kernel refused. */
void report_tracer_start(const struct tracer *tracer);
