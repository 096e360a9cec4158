// SPDX-License-Identifier: GPL-2.0-or-later
#include "ctl/render_latency.h"

#include <inttypes.h>
#include <string.h>

#include "ctl/print.h"
#include "ctl/table.h"
#include "ctl/value.h"
#include "ctl/wait_histogram.h"
#include "util/cleanup.h"
#include "util/escape.h"

#define BAR   20
#define PLACE (BAR + 1 + 9) /* of a window: bar and count */
#define NAME  24            /* more than any name of a thread has, if nothing in it is escaped */

#define CUT_SIZE ESCAPE_SIZE(128)

static const char *const windows[] = {"now", "before"};

/** Escapes as much of a text as fits into @width characters. Returns how many these are. */
static size_t cut(const char *text, size_t width, char ret[static CUT_SIZE])
{
	size_t used = 0, columns = 0;

	escape_text(text, ret, CUT_SIZE);
	while (ret[used] && columns < width) {
		size_t length = utf8_sequence(ret + used, strlen(ret + used));

		if (!length)
			break;
		used += length;
		columns++;
	}
	ret[used] = '\0';
	return columns;
}

/** The last cell of a line is not filled up. */
static void print_cell(const char *text, size_t width, bool last, FILE *out)
{
	char escaped[CUT_SIZE];
	size_t columns = cut(text, width, escaped);

	fprintf(out, "%s%*s", escaped, last ? 0 : (int)(width - columns), "");
}

static void print_titles(const struct wait_histogram histograms[static 2], FILE *out)
{
	char title[128];

	fprintf(out, "%10s", "");
	for (size_t i = 0; i < 2; i++) {
		fputs("  ", out);
		if (histograms[i].known)
			wait_histogram_title(&histograms[i], windows[i], title, sizeof(title));
		else
			snprintf(title, sizeof(title), "%s: not known", windows[i]);
		print_cell(title, i == 0 ? PLACE : PLACE + 4, i == 1, out);
	}
	fputs("\n", out);
}

/** "< 512 us", "< 16.4 ms"; the last octave has no end. */
static void print_limit(size_t octave, FILE *out)
{
	uint64_t us = UINT64_C(1) << octave;
	char text[32];

	if (octave == WAIT_OCTAVES - 1)
		snprintf(text, sizeof(text), "longer");
	else if (us < 1000)
		snprintf(text, sizeof(text), "< %" PRIu64 " us", us);
	else if (us < 1000000)
		snprintf(text, sizeof(text), "< %.1f ms", (double)us / 1e3);
	else
		snprintf(text, sizeof(text), "< %.2f s", (double)us / 1e6);
	fprintf(out, "%10s", text);
}

/** What is there at all is seen: its bar is never empty. */
static void print_bar(int64_t count, int64_t most, FILE *out)
{
	int length = most > 0 ? (int)((double)count * BAR / (double)most) : 0;

	if (count > 0 && length == 0)
		length = 1;
	fputs("  ", out);
	for (int i = 0; i < BAR; i++)
		fputc(i < length ? '#' : ' ', out);
	fprintf(out, " %9" PRId64, count);
}

static void print_octaves(const struct wait_histogram histograms[static 2], FILE *out)
{
	size_t first = WAIT_OCTAVES, last = 0;
	int64_t octaves[2][WAIT_OCTAVES], most[2] = {0};

	for (size_t i = 0; i < 2; i++) {
		wait_histogram_octaves(&histograms[i], octaves[i]);
		for (size_t k = 0; k < WAIT_OCTAVES; k++) {
			if (!octaves[i][k])
				continue;
			most[i] = MAX(most[i], octaves[i][k]);
			first = MIN(first, k);
			last = MAX(last, k);
		}
	}
	for (size_t k = first; k <= last; k++) {
		print_limit(k, out);
		for (size_t i = 0; i < 2; i++)
			if (histograms[i].known)
				print_bar(octaves[i][k], most[i], out);
		fputs("\n", out);
	}
}

static void print_summary(const struct wait_histogram histograms[static 2], FILE *out)
{
	char text[128];

	fprintf(out, "%10s", "p50 us");
	for (size_t i = 0; i < 2; i++) {
		if (!histograms[i].known)
			continue;
		snprintf(text, sizeof(text), "%" PRId64 ", p99 %" PRId64 ", max %" PRId64,
		         histograms[i].p50_us, histograms[i].p99_us, histograms[i].max_us);
		fputs("  ", out);
		print_cell(text, PLACE, i == 1, out);
	}
	fputs("\n", out);
}

static void print_head(const struct json_value *answer, FILE *out)
{
	int64_t vcpu = value_number(answer, "vcpu");

	print_escaped(out, value_text(answer, "domain", "-"));
	if (vcpu >= 0)
		fprintf(out, ", vCPU %" PRId64, vcpu);
	fputs(" (", out);
	print_escaped(out, value_text(answer, "profile", "-"));
	fputs("): how long it waited to run\n\n", out);
}

/* ---- what ran instead ---- */

static void cell_of(struct table *table, const struct json_value *runner)
{
	const char *domain = value_text(runner, "domain", NULL);

	if (domain) {
		table_addf(table, "domain %s", domain);
		return;
	}
	cell_text(table, runner, "cgroup");
}

static void cell_thread(struct table *table, const struct json_value *runner)
{
	char name[CUT_SIZE];

	cut(value_bool(runner, "idle") ? "(idle)" : value_text(runner, "comm", "-"), NAME, name);
	table_add(table, name);
}

static void cell_time(struct table *table, int64_t us)
{
	char text[64] = "-";

	if (us >= 0 && us < INT64_MAX / (int64_t)NSEC_PER_USEC)
		format_duration(us * (int64_t)NSEC_PER_USEC, text, sizeof(text));
	table_add(table, text);
}

/** @us of @all_us, as a percentage. */
static void cell_part(struct table *table, int64_t us, int64_t all_us)
{
	if (us < 0 || all_us <= 0)
		table_add(table, "-");
	else
		table_addf(table, "%.1f %%", 100.0 * (double)us / (double)all_us);
}

static void print_time(int64_t us, FILE *out)
{
	print_duration(out, us >= 0 && us < INT64_MAX / (int64_t)NSEC_PER_USEC
	                            ? us * (int64_t)NSEC_PER_USEC
	                            : -1);
}

static void print_blockers_head(const struct json_value *blockers, FILE *out)
{
	int64_t traced_ms = value_number(blockers, "traced_ms");

	fprintf(out, "\nWhat ran instead, in %" PRId64 " waits of ",
	        value_number(blockers, "waits"));
	print_time(value_number(blockers, "wait_us"), out);
	fputs(" together, traced for ", out);
	print_time(traced_ms >= 0 && traced_ms < INT64_MAX / 1000000 ? traced_ms * 1000 : -1, out);
	fputs(":\n", out);
}

static void print_blockers(const struct json_value *blockers, unsigned int columns, FILE *out)
{
	static const struct table_column titles[] = {
	        {"PART", true},
	        {"TIME", true},
	        {"THREAD", false},
	        {"OF", false, true},
	};
	CLEANUP(table_cleanup) struct table *table = table_new(titles, ARRAY_SIZE(titles));
	const struct json_value *top = json_member(blockers, "top");
	int64_t all_us = value_number(blockers, "wait_us"), us;
	struct table_style style = {.width = columns};

	print_blockers_head(blockers, out);
	JSON_FOREACH(runner, top)
	{
		us = value_number(runner, "us");
		cell_part(table, us, all_us);
		cell_time(table, us);
		cell_thread(table, runner);
		cell_of(table, runner);
	}
	us = value_number(blockers, "others_us");
	if (us > 0) {
		cell_part(table, us, all_us);
		cell_time(table, us);
		table_add(table, "others");
		table_add(table, "-");
	}
	table_print_styled(table, out, &style);
}

void render_latency(const struct json_value *answer, unsigned int columns, FILE *out)
{
	const struct json_value *blockers = json_member(answer, "blockers");
	struct wait_histogram histograms[2];

	for (size_t i = 0; i < 2; i++)
		wait_histogram_read(answer, windows[i], &histograms[i]);
	print_head(answer, out);
	if (!histograms[0].known && !histograms[1].known) {
		fputs("Nothing is known of its waits. The reason: pvschedctl explain\n", out);
		return;
	}
	print_titles(histograms, out);
	print_octaves(histograms, out);
	print_summary(histograms, out);
	if (!blockers)
		return;
	if (!value_bool(blockers, "traced")) {
		fputs("\nWhat ran instead is not known: ", out);
		print_escaped(out, value_text(blockers, "why", "-"));
		fputs("\n", out);
	} else if (json_member(blockers, "top") && value_number(blockers, "waits") > 0) {
		print_blockers(blockers, columns, out);
	} else {
		fputs("\nIt did not wait while it was traced.\n", out);
	}
}

/* ---- one wait ---- */

static void add_rest(struct table *table, const struct json_value *wait,
                     const struct json_value *behind)
{
	int64_t wait_us = value_number(wait, "wait_us"), left_us = wait_us;

	JSON_FOREACH(runner, behind)
	{
		left_us -= MIN(MAX(value_number(runner, "us"), INT64_C(0)), left_us);
	}
	if (left_us <= 0)
		return;
	cell_part(table, left_us, wait_us);
	cell_time(table, left_us);
	table_add(table, "others");
	table_add(table, "-");
	table_add(table, "-");
}

void render_long_wait(const struct json_value *wait, const char *at, unsigned int columns,
                      FILE *out)
{
	static const struct table_column titles[] = {
	        {"PART", true}, {"TIME", true},      {"THREAD", false},
	        {"TID", true},  {"OF", false, true},
	};
	CLEANUP(table_cleanup) struct table *table = table_new(titles, ARRAY_SIZE(titles));
	const struct json_value *behind = json_member(wait, "behind");
	struct table_style style = {.width = columns};

	fprintf(out, "%s: vCPU %" PRId64 " had waited ", at, value_number(wait, "vcpu"));
	print_time(value_number(wait, "wait_us"), out);
	fprintf(out, " for CPU %" PRId64 ", behind:\n", value_number(wait, "cpu"));
	if (!behind)
		return;
	JSON_FOREACH(runner, behind)
	{
		cell_part(table, value_number(runner, "us"), value_number(wait, "wait_us"));
		cell_time(table, value_number(runner, "us"));
		cell_thread(table, runner);
		cell_number(table, runner, "tid");
		cell_of(table, runner);
	}
	add_rest(table, wait, behind);
	table_print_styled(table, out, &style);
}
