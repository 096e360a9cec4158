/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The rows of top and watch: rates between two answers of the daemon, and what it says itself. */

#include <stdio.h>

#include "util/json.h"

enum top_sort {
	TOP_SORT_WAIT,  /* the longest waits first, by their 99th percentile */
	TOP_SORT_BOOST, /* the most boosted time first */
	TOP_SORT_DENIED,
	_TOP_SORT_MAX,
};

extern const char *const top_sort_names[_TOP_SORT_MAX];

/** Of one domain, or of one vCPU. -1: not known. Rates are per 10 s, for one decimal. */
struct top_row {
	const struct json_value *value; /* as the daemon gave it */
	int64_t boosts_per_10s, denied_per_10s;
	int64_t run_permille, ready_permille, boosted_permille; /* of one CPU */
	int64_t p50_us, p99_us, max_us;                         /* waits of the last ten seconds */
	int64_t before_p99_us;                                  /* and before the current policy */
};

struct top_rows {
	size_t n;
	struct top_row *rows;
	int64_t took_us; /* between the two answers; -1: there is one only */
	bool of_vcpus;
};

/**
 * Out of two results of "top", the earlier of which may be NULL; both must outlive the rows. A row
 * that is new has no rates. Returns 0; -ENOMEM; -EBADMSG: that is no such result.
 */
int top_rows_make(const struct json_value *before, const struct json_value *now,
                  struct top_rows *ret);
void top_rows_free(struct top_rows *rows);

/** Rows of which the key is equal stay in the daemon's order. */
void top_rows_sort(struct top_rows *rows, enum top_sort by);

/**
 * A table of at most @limit rows, 0: of all. It is cut to @width characters; below
 * TOP_WIDTH_ALL it has the most important columns only. 0: it is as wide as it needs.
 */
void top_rows_print(const struct top_rows *rows, size_t limit, unsigned int width, FILE *out);

#define TOP_WIDTH_ALL 100

/** The same as one line of JSON. Returns 0, or -ENOMEM. */
int top_rows_print_json(const struct top_rows *rows, size_t limit, FILE *out);
