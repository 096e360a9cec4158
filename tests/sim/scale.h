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
	bool faults;           /* then the largest with faults, which the judge must find */
	const char *json_path; /* NULL: none */
};

/**
 * Prints a table, and how many promises were kept ("N passed, N failed, 0 skipped"). Returns 0, or
 * 1 if one was broken, a fault was not found, or the file could not be written.
 */
int scale_run(const struct scale_options *options);

/**
 * The crowd of crowd.h, on two CPUs or as many as the options say: prints one line of JSON.
 * @ease  multiplies all periods
 */
int crowd_run(const struct sim_options *options, uint32_t ease);
