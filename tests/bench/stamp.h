/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Who had how much CPU time between two moments: the load, the victims, the daemon's threads,
 * others.
 */

#include <sys/types.h>

#include "util/base.h"

#define SPINNERS_MAX 256

/** The load: processes that spin. */
struct spinners {
	pid_t pids[SPINNERS_MAX];
	size_t n;
};

/** CPU times at one moment. */
struct stamp {
	uint64_t at_ns, load_ns, victim_ns, bench_ns, busy_ns;
};

/** Taken in the victims' process, whose parent has the daemon's threads. */
void stamp_take(const struct spinners *spinners, struct stamp *ret);

/** Prints the use between two stamps, as members of a JSON object. */
void stamp_print(const struct stamp *begin, const struct stamp *end);
