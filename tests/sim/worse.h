/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Are boosts ever worse than none? The same guests, on machines of several speeds, with each
 * profile and without. What is compared is how long vCPUs waited after they were woken, those of
 * all vCPUs and seeds of a scene together.
 */

#include "util/base.h"

struct worse_options {
	uint64_t seed;
	unsigned int seeds;
	uint64_t lasts_ns; /* of one run, after what is learned in it */
	const char *scene; /* NULL: all */
	uint64_t slow;     /* so many times as slow as the measured machine; 0: each speed */
	bool brief;        /* the slowest machine, and some of the scenes: in the default test */
	bool usual_prices; /* and not those that follow from the machine */
	bool untreated;    /* nothing looks whether boosts do harm: to see that they do */
};

/** Prints a line per scene, speed and profile. Returns 0 if boosts are never worse, else 1. */
int worse_run(const struct worse_options *options);
