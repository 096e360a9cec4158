/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The time of day, for readers on other machines. It may be set, so nothing is measured or decided
 * by it: util/clock.h is for that.
 */

#include <time.h>

#include "util/base.h"

/** In us since 1970. */
static inline uint64_t wall_clock_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * (NSEC_PER_SEC / NSEC_PER_USEC) +
	       (uint64_t)now.tv_nsec / NSEC_PER_USEC;
}
