// SPDX-License-Identifier: GPL-2.0-or-later
#include "ctl/trial_plot.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>

#include "ctl/svg.h"
#include "ctl/value.h"

#define WIDTH   720
#define HEIGHT  420
#define LEFT    70
#define TOP     50
#define PLOT_W  620
#define PLOT_H  310
#define DECADES 7 /* of time, from 1 us to 10 s */
#define DEPTH   5 /* of parts, from 1 to 1e-5 */

static double x_of(int64_t us)
{
	double x = us > 1 ? log10((double)us) : 0;

	return LEFT + PLOT_W * MIN(x, (double)DECADES) / DECADES;
}

static double y_of(double part)
{
	double y = part > 0 ? -log10(part) : DEPTH;

	return TOP + PLOT_H * MIN(y, (double)DEPTH) / DEPTH;
}

static void print_axes(FILE *out)
{
	static const char *const times[DECADES + 1] = {"1 us",  "10 us",  "100 us", "1 ms",
	                                               "10 ms", "100 ms", "1 s",    "10 s"};
	static const char *const parts[DEPTH + 1] = {"1",     "10 %",   "1 %",
	                                             "0.1 %", "0.01 %", "0.001 %"};

	for (int i = 0; i <= DECADES; i++) {
		int x = LEFT + PLOT_W * i / DECADES;

		fprintf(out, "<path d=\"M%d %dV%d\" stroke=\"#ddd\"/>\n", x, TOP, TOP + PLOT_H);
		fprintf(out, "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">%s</text>\n", x,
		        TOP + PLOT_H + 18, times[i]);
	}
	for (int i = 0; i <= DEPTH; i++) {
		int y = TOP + PLOT_H * i / DEPTH;

		fprintf(out, "<path d=\"M%d %dH%d\" stroke=\"#ddd\"/>\n", LEFT, y, LEFT + PLOT_W);
		fprintf(out, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text>\n", LEFT - 6,
		        y + 4, parts[i]);
	}
}

static int64_t count_of(const struct json_value *rows, const char *key)
{
	int64_t n = 0;

	JSON_FOREACH(row, rows)
	n += MAX(value_number(row, key), INT64_C(0));
	return n;
}

/** A step at each limit of a bucket: the part of waits beyond it. */
static void print_curve(const struct json_value *rows, const char *key, const char *color,
                        FILE *out)
{
	int64_t n = count_of(rows, key), longer = n;

	if (n == 0)
		return;
	fprintf(out, "<path fill=\"none\" stroke=\"%s\" stroke-width=\"2\" d=\"M%d %.1f", color,
	        LEFT, y_of(1));
	JSON_FOREACH(row, rows)
	{
		fprintf(out, "H%.1f", x_of(value_number(row, "below_us")));
		longer -= MAX(value_number(row, key), INT64_C(0));
		fprintf(out, "V%.1f", y_of((double)longer / (double)n));
		if (longer <= 0)
			break;
	}
	fputs("\"/>\n", out);
}

void trial_plot(const struct json_value *trial, FILE *out)
{
	const struct json_value *rows = json_member(trial, "histogram");

	fprintf(out,
	        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
	        "font-family=\"sans-serif\" font-size=\"12\">\n"
	        "<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n"
	        "<text x=\"%d\" y=\"20\" font-size=\"15\">",
	        WIDTH, HEIGHT, LEFT);
	svg_text(value_text(trial, "domain", "-"), out);
	fprintf(out,
	        ": waits to run, without and with boosts</text>\n"
	        "<text x=\"%d\" y=\"38\">part of waits that were longer; "
	        "<tspan fill=\"#c33\">without</tspan>, <tspan fill=\"#27a\">with profile ",
	        LEFT);
	svg_text(value_text(trial, "profile", "-"), out);
	fputs("</tspan></text>\n", out);
	print_axes(out);
	if (rows) {
		print_curve(rows, "off", "#c33", out);
		print_curve(rows, "on", "#27a", out);
	}
	fputs("</svg>\n", out);
}

int trial_plot_write(const char *path, const struct json_value *trial)
{
	FILE *out = svg_open(path);

	if (!out)
		return -errno;
	trial_plot(trial, out);
	return svg_close(out);
}
