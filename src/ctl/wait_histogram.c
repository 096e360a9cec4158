// SPDX-License-Identifier: GPL-2.0-or-later
#include "ctl/wait_histogram.h"

#include <stdio.h>
#include <string.h>

#include "ctl/value.h"

#define COUNT_MAX (INT64_C(1) << 55) /* sums of all buckets stay below 2^62 */

static void add_bucket(struct wait_histogram *histogram, const struct json_value *bucket)
{
	int64_t below_us = value_number(bucket, "below_us"), count = value_number(bucket, "count");
	size_t n = histogram->n_buckets;

	if (n == WAIT_BUCKETS_MAX || below_us < 1 || count < 1 || count > COUNT_MAX ||
	    (n > 0 && below_us <= histogram->buckets[n - 1].below_us))
		return;
	histogram->buckets[n].below_us = below_us;
	histogram->buckets[n].count = count;
	histogram->n_buckets = n + 1;
	histogram->n += count;
}

void wait_histogram_read(const struct json_value *answer, const char *window,
                         struct wait_histogram *ret)
{
	const struct json_value *windows = json_member(answer, "windows");
	const struct json_value *of = windows ? json_member(windows, window) : NULL;
	const struct json_value *wait = of ? json_member(of, "wait_us") : NULL;
	const struct json_value *buckets = of ? json_member(of, "histogram") : NULL;

	*ret = (struct wait_histogram){.known = of};
	if (!of)
		return;
	ret->seconds = value_number(of, "seconds");
	ret->profile = value_text(of, "profile", NULL);
	if (wait) {
		ret->p50_us = value_number(wait, "p50");
		ret->p99_us = value_number(wait, "p99");
		ret->max_us = value_number(wait, "max");
	}
	if (!buckets || json_type(buckets) != JSON_ARRAY)
		return;
	JSON_FOREACH(bucket, buckets)
	{
		add_bucket(ret, bucket);
	}
}

void wait_histogram_octaves(const struct wait_histogram *histogram, int64_t ret[WAIT_OCTAVES])
{
	memset(ret, 0, WAIT_OCTAVES * sizeof(ret[0]));
	for (size_t i = 0; i < histogram->n_buckets; i++) {
		size_t octave = 0;

		while (octave < WAIT_OCTAVES - 1 &&
		       INT64_C(1) << octave < histogram->buckets[i].below_us)
			octave++;
		ret[octave] += histogram->buckets[i].count;
	}
}

void wait_histogram_title(const struct wait_histogram *histogram, const char *window, char *buffer,
                          size_t size)
{
	char length[64] = "some time";

	if (histogram->seconds >= 0 && histogram->seconds < INT64_MAX / (int64_t)NSEC_PER_SEC)
		format_duration(MAX(histogram->seconds, INT64_C(1)) * (int64_t)NSEC_PER_SEC, length,
		                sizeof(length));
	if (histogram->profile)
		snprintf(buffer, size, "%s: %s, %s", window, histogram->profile, length);
	else
		snprintf(buffer, size, "%s, last %s", window, length);
}
