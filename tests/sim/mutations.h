/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Faults put in on purpose, each of which the checker must find. */

#include "sim.h"

struct tally {
	unsigned int passed, failed;
};

static inline void tally_count(struct tally *tally, bool ok)
{
	tally->passed += ok;
	tally->failed += !ok;
}

void mutations_test(struct sim_options options, struct tally *tally);
