/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Name and opener of each object of the tracer that tests have. */

#include "objects.h"
#include "trace/internal.h"
#include "trace/tracer.h"

#define OBJECT(name) struct tracer_bpf *open_##name(void);
TRACER_OBJECTS
#undef OBJECT

static const struct {
	const char *name;
	struct tracer_bpf *(*open)(void);
} tracer_objects[] = {
#define OBJECT(name) {#name, open_##name},
        TRACER_OBJECTS
#undef OBJECT
};
