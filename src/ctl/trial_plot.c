// SPDX-License-Identifier: GPL-2.0-or-later
#include "ctl/trial_plot.h"

#include <errno.h>
#include <inttypes.h>

#include "ctl/svg.h"
#include "ctl/value.h"

static int64_t count_of(const struct json_value *rows, const char *key)
{
	int64_t n = 0;

	JSON_FOREACH(row, rows)
	n += MAX(value_number(row, key), INT64_C(0));
	return n;
}

static int64_t percentile_us(const struct json_value *side, const char *key)
{
	const struct json_value *interval = side ? json_member(side, key) : NULL;

	return interval ? value_number(interval, "value") : -1;
}

static void print_legend(const struct svg_curve *curve, unsigned int line,
                         const struct json_value *trial, FILE *out)
{
	const struct json_value *side = json_member(trial, curve->name);
	int64_t p50_us = percentile_us(side, "p50_us"), p99_us = percentile_us(side, "p99_us");
	char what[128] = "without boosts", figures[96] = "", text[256];

	if (line)
		snprintf(what, sizeof(what), "with profile %s", value_text(trial, "profile", "-"));
	if (p50_us >= 0 && p99_us >= 0)
		snprintf(figures, sizeof(figures), "; p50 %" PRId64 " us, p99 %" PRId64 " us",
		         p50_us, p99_us);
	snprintf(text, sizeof(text), "%s: %" PRId64 " waits%s", what, curve->n, figures);
	svg_legend(curve, line, text, out);
}

void trial_plot(const struct json_value *trial, FILE *out)
{
	struct svg_curve curves[] = {{.name = "off", .color = "#b3541e", .dash = "6 3"},
	                             {.name = "on", .color = "#0b6e4f", .dash = ""}};
	const struct json_value *rows = json_member(trial, "histogram");
	char title[1024];

	snprintf(title, sizeof(title), "%s: how long it waits to run, without and with boosts",
	         value_text(trial, "domain", "-"));
	svg_begin(title, out);
	for (unsigned int i = 0; rows && i < ARRAY_SIZE(curves); i++) {
		curves[i].n = count_of(rows, curves[i].name);
		svg_curve_begin(&curves[i], out);
		JSON_FOREACH(row, rows)
		svg_curve_step(&curves[i], value_number(row, "below_us"),
		               MAX(value_number(row, curves[i].name), INT64_C(0)), out);
		svg_curve_end(&curves[i], out);
		print_legend(&curves[i], i, trial, out);
	}
	svg_end(out);
}

int trial_plot_write(const char *path, const struct json_value *trial)
{
	FILE *out = svg_open(path);

	if (!out)
		return -errno;
	trial_plot(trial, out);
	return svg_close(out);
}
