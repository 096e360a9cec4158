/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Writes metrics as text: OpenMetrics 1.0, or the text format of Prometheus, which node_exporter's
 * files have. The two differ in the names of counters, in units, and at the end. Pure: it allocates
 * memory, and nothing else.
 *
 * The text has a limit. A family that would go beyond it is left out as a whole, so that what is
 * there is valid and complete, and is counted.
 */

#include <stddef.h>

#include "util/base.h"

enum openmetrics_format {
	OPENMETRICS,
	OPENMETRICS_PROMETHEUS,
};

enum openmetrics_type {
	OPENMETRICS_COUNTER,
	OPENMETRICS_GAUGE,
	OPENMETRICS_HISTOGRAM,
	OPENMETRICS_INFO,
};

struct openmetrics_family {
	const char *name; /* without "_total" and "_info" */
	enum openmetrics_type type;
	const char *unit; /* the name's last word, if it is one; else NULL */
	const char *help; /* a sentence of ours: no backslash, no line break */
};

struct openmetrics_label {
	const char *name;
	const char *value; /* whatever it is: escaped here */
};

/** Begin with OPENMETRICS_INIT(). */
struct openmetrics {
	enum openmetrics_format format;
	char *text; /* NUL-terminated; NULL: empty */
	size_t size;
	size_t limit;          /* of size */
	unsigned int left_out; /* families */
	/* private */
	size_t room;
	size_t family_at; /* where the present family begins */
	const struct openmetrics_family *family;
	bool over; /* the present family is left out */
	int error;
};

#define OPENMETRICS_INIT(of_format, of_limit)                                                      \
	((struct openmetrics){.format = (of_format), .limit = (of_limit)})

/** Begins a family, whose samples follow; @family must stay until the next one. */
void openmetrics_family(struct openmetrics *m, const struct openmetrics_family *family);

/**
 * One sample of the present family: its value is @value / 10^@decimals.
 * @part    of a histogram "bucket", "sum" or "count"; else NULL
 * @labels  @n of them
 */
void openmetrics_sample(struct openmetrics *m, const char *part,
                        const struct openmetrics_label *labels, size_t n, uint64_t value,
                        unsigned int decimals);

/** Ends the text. Returns 0; -ENOMEM: it is not whole. */
int openmetrics_end(struct openmetrics *m);

/** Frees the text. */
void openmetrics_clear(struct openmetrics *m);

/**
 * Copies a label's value as it will stand in the text, at most as much as fits, always terminated:
 * control characters and invalid UTF-8 become \xNN, and then a backslash, a quote and a line break
 * are escaped. Returns its length.
 */
size_t openmetrics_escape(const char *value, char *out, size_t size);
