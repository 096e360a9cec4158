/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Guests that step aside: the governor (src/policy/governor.h) tells domains which vCPUs to avoid,
 * and their guests move the work of those to the others, a while later. Nothing is boosted. The
 * same load is played without the governor, too. What is judged is what guests were told, by its
 * times alone, and what came of it.
 */

#include "util/base.h"

struct aside_options {
	uint64_t seed;
	uint32_t vcpus, cpus; /* 0: the scenes; else one of that size alone */
	uint64_t lasts_ns;    /* of that one */
};

/** Prints a line per scene and fault. Returns 0 if all promises were kept and all faults found. */
int aside_run(const struct aside_options *options);
