/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The parts of the tracer that a kernel may refuse one by one (PVS_PART_*). A part is probed by
 * loading it: a kernel that lacks one field or one helper costs that part, and nothing else.
 *
 * Only what charging a boost and giving it back need is a must: without that, nothing is loaded.
 */

#include <stddef.h>
#include <stdint.h>

#include "core/account.h"

/** Why a part was left out: the line of the verifier or of libbpf that names the cause. */
#define TRACER_CAUSE_MAX 256

/** What became of the parts; of those in @loaded, the cause is "". */
struct tracer_parts {
	uint32_t loaded; /* PVS_PART_* */
	char cause[PVS_PARTS][TRACER_CAUSE_MAX];
};

/** Name of the part of that bit number, for people and for JSON: "helpers". */
const char *tracer_part_name(unsigned int part);

/** What does not happen without it: half a sentence. */
const char *tracer_part_loss(unsigned int part);

/**
 * Loads a tracer of these parts, and keeps it in place of the one before.
 * Returns 0; -errno, and @cause says why: the one before stays.
 */
typedef int tracer_parts_load_fn(void *userdata, uint32_t parts, char cause[TRACER_CAUSE_MAX]);

/**
 * Finds out which parts load here, by calling @load: once where all do. The last call that returned
 * 0 was for the parts in ret->loaded.
 * Returns 0; -errno: not even a tracer without any of them loads, and @cause says why.
 */
int tracer_parts_choose(struct tracer_parts *ret, tracer_parts_load_fn *load, void *userdata,
                        char cause[TRACER_CAUSE_MAX]);

/**
 * Keeps what libbpf complains of in @cause, which begins as "". @text: one message of its log, with
 * the verifier's log in it or not. Of several the first one that names a cause stays.
 */
void tracer_cause_note(char cause[TRACER_CAUSE_MAX], const char *text);
