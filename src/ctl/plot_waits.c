// SPDX-License-Identifier: GPL-2.0-or-later
#include "ctl/plot_waits.h"

#include <inttypes.h>
#include <math.h>

#include "ctl/svg.h"
#include "ctl/value.h"
#include "ctl/wait_histogram.h"

/* The drawing, in its own units; the plane of the curves lies within. */
#define WIDTH  760
#define HEIGHT 460
#define LEFT   80.0
#define RIGHT  (WIDTH - 30.0)
#define TOP    60.0
#define BOTTOM (HEIGHT - 100.0)

#define DECADES_X 7 /* 1 us to 10 s */
#define DECADES_Y 5 /* 1 to 1e-5 */

static const struct {
	const char *window, *color, *dash;
} curves[] = {
        {"now", "#0b6e4f", ""},
        {"before", "#b3541e", "6 3"},
};

static double x_of(double us)
{
	double decades = us > 1 ? log10(us) : 0;

	return LEFT + (RIGHT - LEFT) * MIN(decades, (double)DECADES_X) / DECADES_X;
}

static double y_of(double share)
{
	double decades = share > 0 ? -log10(share) : DECADES_Y;

	return TOP + (BOTTOM - TOP) * MIN(decades, (double)DECADES_Y) / DECADES_Y;
}

static void print_text(double x, double y, const char *anchor, const char *text, FILE *out)
{
	fprintf(out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s</text>\n", x, y, anchor,
	        text);
}

static void print_line(double x1, double y1, double x2, double y2, const char *color, FILE *out)
{
	fprintf(out, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"%s\"/>\n", x1,
	        y1, x2, y2, color);
}

static void print_axes(FILE *out)
{
	static const char *const times[DECADES_X + 1] = {"1 us",  "10 us",  "100 us", "1 ms",
	                                                 "10 ms", "100 ms", "1 s",    "10 s"};
	static const char *const shares[DECADES_Y + 1] = {"100 %", "10 %",   "1 %",
	                                                  "0.1 %", "0.01 %", "0.001 %"};

	for (int i = 0; i <= DECADES_X; i++) {
		double x = x_of(pow(10, i));

		print_line(x, TOP, x, BOTTOM, "#dddddd", out);
		print_text(x, BOTTOM + 18, "middle", times[i], out);
	}
	for (int i = 0; i <= DECADES_Y; i++) {
		double y = y_of(pow(10, -i));

		print_line(LEFT, y, RIGHT, y, "#dddddd", out);
		print_text(LEFT - 8, y + 4, "end", shares[i], out);
	}
	print_line(LEFT, TOP, LEFT, BOTTOM, "black", out);
	print_line(LEFT, BOTTOM, RIGHT, BOTTOM, "black", out);
	print_text((LEFT + RIGHT) / 2, BOTTOM + 38, "middle", "a wait to run, longer than", out);
	fprintf(out,
	        "<text transform=\"translate(18 %.1f) rotate(-90)\" text-anchor=\"middle\">share "
	        "of the waits</text>\n",
	        (TOP + BOTTOM) / 2);
}

/** A step down at each bucket's limit, by its part of all waits. */
static void print_curve(const struct wait_histogram *histogram, size_t curve, FILE *out)
{
	int64_t left = histogram->n;

	if (!histogram->n)
		return;
	fprintf(out,
	        "<polyline class=\"%s\" fill=\"none\" stroke=\"%s\" stroke-width=\"2\" "
	        "stroke-dasharray=\"%s\" points=\"%.1f,%.1f",
	        curves[curve].window, curves[curve].color, curves[curve].dash, x_of(1), y_of(1));
	for (size_t i = 0; i < histogram->n_buckets; i++) {
		double x = x_of((double)histogram->buckets[i].below_us);

		fprintf(out, " %.1f,%.1f", x, y_of((double)left / (double)histogram->n));
		left -= histogram->buckets[i].count;
		fprintf(out, " %.1f,%.1f", x, y_of((double)left / (double)histogram->n));
	}
	fputs("\"/>\n", out);
}

static void print_legend(const struct wait_histogram *histogram, size_t curve, FILE *out)
{
	double y = BOTTOM + 62 + 20 * (double)curve;
	char title[128];

	if (!histogram->known)
		return;
	wait_histogram_title(histogram, curves[curve].window, title, sizeof(title));
	fprintf(out,
	        "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"%s\" "
	        "stroke-width=\"2\" stroke-dasharray=\"%s\"/>\n<text x=\"%.1f\" y=\"%.1f\">",
	        LEFT, y - 4, LEFT + 30, y - 4, curves[curve].color, curves[curve].dash, LEFT + 40,
	        y);
	svg_text(title, out);
	fprintf(out,
	        ": %" PRId64 " waits; p50 %" PRId64 " us, p99 %" PRId64 " us, max %" PRId64
	        " us</text>\n",
	        histogram->n, histogram->p50_us, histogram->p99_us, histogram->max_us);
}

static void print_title(const struct json_value *answer, FILE *out)
{
	int64_t vcpu = value_number(answer, "vcpu");

	svg_text(value_text(answer, "domain", "-"), out);
	if (vcpu >= 0)
		fprintf(out, ", vCPU %" PRId64, vcpu);
	fputs(" (", out);
	svg_text(value_text(answer, "profile", "-"), out);
	fputs("): how long it waits to run", out);
}

void plot_waits(const struct json_value *answer, FILE *out)
{
	struct wait_histogram histogram;

	fprintf(out,
	        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<svg "
	        "xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
	        "viewBox=\"0 0 %d %d\" font-family=\"sans-serif\" font-size=\"12\">\n<title>",
	        WIDTH, HEIGHT, WIDTH, HEIGHT);
	print_title(answer, out);
	fprintf(out,
	        "</title>\n<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n<text "
	        "x=\"%.1f\" y=\"30\" font-size=\"16\">",
	        LEFT);
	print_title(answer, out);
	fputs("</text>\n", out);
	print_axes(out);
	for (size_t i = 0; i < ARRAY_SIZE(curves); i++) {
		wait_histogram_read(answer, curves[i].window, &histogram);
		print_curve(&histogram, i, out);
		print_legend(&histogram, i, out);
	}
	fputs("</svg>\n", out);
}
