// SPDX-License-Identifier: GPL-2.0-or-later
#include "ctl/plot_waits.h"

#include <inttypes.h>

#include "ctl/svg.h"
#include "ctl/value.h"
#include "ctl/wait_histogram.h"

#define TITLE_MAX 1024

static void print_legend(const struct svg_curve *curve, unsigned int line,
                         const struct wait_histogram *histogram, FILE *out)
{
	char title[128], text[256];

	if (!histogram->known)
		return;
	wait_histogram_title(histogram, curve->name, title, sizeof(title));
	snprintf(text, sizeof(text),
	         "%s: %" PRId64 " waits; p50 %" PRId64 " us, p99 %" PRId64 " us, max %" PRId64
	         " us",
	         title, histogram->n, histogram->p50_us, histogram->p99_us, histogram->max_us);
	svg_legend(curve, line, text, out);
}

static void print_title(const struct json_value *answer, char title[static TITLE_MAX])
{
	int64_t vcpu = value_number(answer, "vcpu");
	char which[32] = "";

	if (vcpu >= 0)
		snprintf(which, sizeof(which), ", vCPU %" PRId64, vcpu);
	snprintf(title, TITLE_MAX, "%s%s (%s): how long it waits to run",
	         value_text(answer, "domain", "-"), which, value_text(answer, "profile", "-"));
}

void plot_waits(const struct json_value *answer, FILE *out)
{
	struct svg_curve curves[] = {{.name = "now", .color = "#0b6e4f", .dash = ""},
	                             {.name = "before", .color = "#b3541e", .dash = "6 3"}};
	struct wait_histogram histogram;
	char title[TITLE_MAX];

	print_title(answer, title);
	svg_begin(title, out);
	for (unsigned int i = 0; i < ARRAY_SIZE(curves); i++) {
		wait_histogram_read(answer, curves[i].name, &histogram);
		curves[i].n = histogram.n;
		svg_curve_begin(&curves[i], out);
		for (size_t j = 0; j < histogram.n_buckets; j++)
			svg_curve_step(&curves[i], histogram.buckets[j].below_us,
			               histogram.buckets[j].count, out);
		svg_curve_end(&curves[i], out);
		print_legend(&curves[i], i, &histogram, out);
	}
	svg_end(out);
}
