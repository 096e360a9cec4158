/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Large hosts: the gain of a boost there, its cost for the daemon, and the speed of this
 * simulation.
 */

#include "sim.h"

struct scale_options {
	uint64_t seed, lasts_ns;
	uint32_t vcpus, cpus; /* 0: the series of sizes */
	uint32_t booster_permille;
	const char *json_path; /* NULL: none */
};

/** Prints a table. Returns 0, or 1 if a promise was broken or the file could not be written. */
int scale_run(const struct scale_options *options);

/**
 * The crowd of crowd.h, on two CPUs or as many as the options say: prints one line of JSON.
 * @ease  multiplies all periods
 */
int crowd_run(const struct sim_options *options, uint32_t ease);
