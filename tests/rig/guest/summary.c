/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Histograms of latencies, and how the answers have them. */

#include "commands.h"

unsigned long summary_coarse(unsigned long us)
{
	unsigned int shift = 0;

	while (us >> shift >= 128)
		shift++;
	return us >> shift << shift;
}

void summary_count(struct summary *summary, int64_t late_ns)
{
	unsigned long us = late_ns > 0 ? (unsigned long)(late_ns / 1000) : 0;

	summary->cycles++;
	summary->avg_us += us;
	if (us > summary->max_us)
		summary->max_us = us;
	if (us < HISTOGRAM_US)
		summary->counts[summary_coarse(us)]++;
}

void summary_merge(struct summary *summary, const struct summary *other)
{
	summary->cycles += other->cycles;
	summary->avg_us += other->avg_us;
	if (other->max_us > summary->max_us)
		summary->max_us = other->max_us;
	for (unsigned long us = 0; us < HISTOGRAM_US; us++)
		summary->counts[us] += other->counts[us];
}

/* The smallest latency that at least permille per mille of all cycles do not exceed. */
static unsigned long percentile(const struct summary *summary, unsigned long permille)
{
	unsigned long sum = 0, wanted = (summary->cycles * permille + 999) / 1000;

	for (unsigned long us = 0; us < HISTOGRAM_US; us++) {
		sum += summary->counts[us];
		if (sum >= wanted)
			return us;
	}
	return HISTOGRAM_US; /* a lower bound: it is among the overflows */
}

void summary_print(const struct summary *summary)
{
	const char *comma = "";

	answer_part("{\"ok\":true,\"cycles\":%lu,\"avg_us\":%lu,\"p50_us\":%lu,\"p99_us\":%lu,"
	            "\"p999_us\":%lu,\"max_us\":%lu,\"histogram\":{",
	            summary->cycles, summary->avg_us, percentile(summary, 500),
	            percentile(summary, 990), percentile(summary, 999), summary->max_us);
	for (unsigned long us = 0; us < HISTOGRAM_US; us++) {
		if (!summary->counts[us])
			continue;
		answer_part("%s\"%lu\":%lu", comma, us, summary->counts[us]);
		comma = ",";
	}
	answer_part("}");
}
