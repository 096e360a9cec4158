/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The distribution of waits in a window, out of an answer to `latency`. */

#include "util/base.h"
#include "util/json.h"

#define WAIT_BUCKETS_MAX 96
#define WAIT_OCTAVES     22 /* below 1, 2, 4, ... us; the last: below 2,097,152 us, or longer */

struct wait_histogram {
	bool known;          /* else the rest is 0 */
	int64_t seconds;     /* length of the window; -1: not known */
	const char *profile; /* of that time; NULL: the current one. Lives as long as the answer */
	int64_t n;           /* waits, at most 2^62 */
	int64_t p50_us, p99_us, max_us;
	size_t n_buckets;
	struct {
		int64_t below_us; /* ascending */
		int64_t count;
	} buckets[WAIT_BUCKETS_MAX];
};

/**
 * Reads @window, "now" or "before", of an answer. A bucket that is out of order, or that has no
 * sensible figures, is left out.
 */
void wait_histogram_read(const struct json_value *answer, const char *window,
                         struct wait_histogram *ret);

/** The waits of each octave: ret[k] are below 2^k us and not below 2^(k-1) us. */
void wait_histogram_octaves(const struct wait_histogram *histogram, int64_t ret[WAIT_OCTAVES]);

/** "now, last 12.0 s", "before: observe, 10 min 3 s"; the profile's name as it is. */
void wait_histogram_title(const struct wait_histogram *histogram, const char *window, char *buffer,
                          size_t size);
