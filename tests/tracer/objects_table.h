/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Name and opener of each object of both tracers that tests have. */

#include "agent/guest_tracer.h"
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

#define OBJECT(name) struct guest_bpf *open_guest_##name(void);
GUEST_OBJECTS
#undef OBJECT

static const struct {
	const char *name;
	struct guest_bpf *(*open)(void);
} guest_objects[] = {
#define OBJECT(name) {"guest_" #name, open_guest_##name},
        GUEST_OBJECTS
#undef OBJECT
};

#define GUEST_ALL (GUEST_SOURCES_OF_TASKS | GUEST_SOURCES_OF_INTERRUPTS)
