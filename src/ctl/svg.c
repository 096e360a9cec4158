// SPDX-License-Identifier: GPL-2.0-or-later
#include "ctl/svg.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "util/base.h"
#include "util/cleanup.h"
#include "util/escape.h"

/* The drawing, in its own units; the plane of the curves lies within. */
#define WIDTH  760
#define HEIGHT 460
#define LEFT   80.0
#define RIGHT  (WIDTH - 30.0)
#define TOP    60.0
#define BOTTOM (HEIGHT - 100.0)

#define DECADES_X 7 /* 1 us to 10 s */
#define DECADES_Y 5 /* 1 to 1e-5 */

/* ---- the file ---- */

FILE *svg_open(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
	FILE *out = fd < 0 ? NULL : fdopen(fd, "w");

	if (fd >= 0 && !out)
		close_fd(fd);
	return out;
}

int svg_close(FILE *out)
{
	bool failed = ferror(out);

	if (fclose(out) != 0)
		return -errno;
	return failed ? -EIO : 0;
}

/* ---- text and lines ---- */

/* Text from outside: escaped twice, and without the two characters that XML never has. */
static void print_escaped(const char *text, FILE *out)
{
	size_t size = ESCAPE_SIZE(strlen(text));
	CLEANUP(cleanup_free) char *plain = malloc(size);

	if (!plain)
		return;
	escape_text(text, plain, size);
	for (const char *c = plain; *c; c++) {
		if (strncmp(c, "\xef\xbf\xbe", 3) == 0 || strncmp(c, "\xef\xbf\xbf", 3) == 0) {
			fputc('?', out);
			c += 2;
		} else if (*c == '&') {
			fputs("&amp;", out);
		} else if (*c == '<') {
			fputs("&lt;", out);
		} else if (*c == '>') {
			fputs("&gt;", out);
		} else {
			fputc(*c, out);
		}
	}
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

/* ---- the plane ---- */

static double x_of(double us)
{
	double decades = us > 1 ? log10(us) : 0;

	return LEFT + (RIGHT - LEFT) * MIN(decades, (double)DECADES_X) / DECADES_X;
}

static double y_of(double part)
{
	double decades = part > 0 ? -log10(part) : DECADES_Y;

	return TOP + (BOTTOM - TOP) * MIN(decades, (double)DECADES_Y) / DECADES_Y;
}

static void print_axes(FILE *out)
{
	static const char *const times[DECADES_X + 1] = {"1 us",  "10 us",  "100 us", "1 ms",
	                                                 "10 ms", "100 ms", "1 s",    "10 s"};
	static const char *const parts[DECADES_Y + 1] = {"100 %", "10 %",   "1 %",
	                                                 "0.1 %", "0.01 %", "0.001 %"};

	for (int i = 0; i <= DECADES_X; i++) {
		double x = x_of(pow(10, i));

		print_line(x, TOP, x, BOTTOM, "#dddddd", out);
		print_text(x, BOTTOM + 18, "middle", times[i], out);
	}
	for (int i = 0; i <= DECADES_Y; i++) {
		double y = y_of(pow(10, -i));

		print_line(LEFT, y, RIGHT, y, "#dddddd", out);
		print_text(LEFT - 8, y + 4, "end", parts[i], out);
	}
	print_line(LEFT, TOP, LEFT, BOTTOM, "black", out);
	print_line(LEFT, BOTTOM, RIGHT, BOTTOM, "black", out);
	print_text((LEFT + RIGHT) / 2, BOTTOM + 38, "middle", "a wait to run, longer than", out);
	fprintf(out,
	        "<text transform=\"translate(18 %.1f) rotate(-90)\" text-anchor=\"middle\">share "
	        "of the waits</text>\n",
	        (TOP + BOTTOM) / 2);
}

void svg_begin(const char *title, FILE *out)
{
	fprintf(out,
	        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<svg "
	        "xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
	        "viewBox=\"0 0 %d %d\" font-family=\"sans-serif\" font-size=\"12\">\n<title>",
	        WIDTH, HEIGHT, WIDTH, HEIGHT);
	print_escaped(title, out);
	fprintf(out,
	        "</title>\n<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n<text "
	        "x=\"%.1f\" y=\"30\" font-size=\"16\">",
	        LEFT);
	print_escaped(title, out);
	fputs("</text>\n", out);
	print_axes(out);
}

void svg_end(FILE *out)
{
	fputs("</svg>\n", out);
}

/* ---- curves ---- */

void svg_curve_begin(struct svg_curve *curve, FILE *out)
{
	curve->longer = curve->n;
	if (!curve->n)
		return;
	fprintf(out,
	        "<polyline class=\"%s\" fill=\"none\" stroke=\"%s\" stroke-width=\"2\" "
	        "stroke-dasharray=\"%s\" points=\"%.1f,%.1f",
	        curve->name, curve->color, curve->dash, x_of(1), y_of(1));
}

void svg_curve_step(struct svg_curve *curve, int64_t below_us, int64_t count, FILE *out)
{
	double x = x_of((double)below_us);

	if (!curve->n || curve->longer <= 0)
		return;
	fprintf(out, " %.1f,%.1f", x, y_of((double)curve->longer / (double)curve->n));
	curve->longer -= count;
	fprintf(out, " %.1f,%.1f", x, y_of((double)curve->longer / (double)curve->n));
}

void svg_curve_end(const struct svg_curve *curve, FILE *out)
{
	if (curve->n)
		fputs("\"/>\n", out);
}

void svg_legend(const struct svg_curve *curve, unsigned int line, const char *text, FILE *out)
{
	double y = BOTTOM + 62 + 20 * line;

	fprintf(out,
	        "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"%s\" "
	        "stroke-width=\"2\" stroke-dasharray=\"%s\"/>\n<text x=\"%.1f\" y=\"%.1f\">",
	        LEFT, y - 4, LEFT + 30, y - 4, curve->color, curve->dash, LEFT + 40, y);
	print_escaped(text, out);
	fputs("</text>\n", out);
}
