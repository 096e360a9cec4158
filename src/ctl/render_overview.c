/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/render_overview.h"

#include <inttypes.h>
#include <string.h>

#include "ctl/print.h"
#include "ctl/value.h"
#include "util/cleanup.h"

#define COLUMNS_DEFAULT 80
#define WRONG_MAX       8 /* lines about what is wrong; doctor has all */

static const struct status_columns columns_default = {
        .n = 7,
        .columns = {STATUS_DOMAIN, STATUS_VCPUS, STATUS_PROFILE, STATUS_BOOST, STATUS_P99,
                    STATUS_BEFORE, STATUS_WHY},
};

/* ---- the first line ---- */

struct totals {
	int64_t domains, boosted, cpus;
	int64_t cost_permille; /* of one CPU */
};

static const struct json_value *window(const struct json_value *domain, const char *name)
{
	const struct json_value *windows = json_member(domain, "windows");

	return windows ? json_member(windows, name) : NULL;
}

static const struct json_value *first(const struct json_value *array)
{
	return array ? json_first(array) : NULL;
}

static struct totals count(const struct json_value *result)
{
	const struct json_value *domains = json_member(result, "domains");
	const struct json_value *cpus = json_member(result, "cpus");
	struct totals totals = {0};

	for (const struct json_value *cpu = first(cpus); cpu; cpu = json_next(cpu))
		totals.cpus++;
	for (const struct json_value *domain = first(domains); domain; domain = json_next(domain)) {
		int64_t permille = value_number(window(domain, "now"), "boosted_permille");

		totals.domains++;
		totals.boosted += permille > 0 || value_number(domain, "boosted_vcpus") > 0;
		if (permille > 0 && permille < 1000000)
			totals.cost_permille += permille;
	}
	return totals;
}

static bool source_ok(const struct json_value *result, const char *name)
{
	const struct json_value *sources = json_member(result, "sources");
	const struct json_value *source = sources ? json_member(sources, name) : NULL;

	return !source || value_bool(source, "ok");
}

static void print_colored(FILE *out, const struct terminal *terminal, const char *sequence,
                          const char *text)
{
	fprintf(out, "%s%s%s", terminal->colors ? sequence : "", text,
	        terminal->colors ? "\033[0m" : "");
}

#define GREEN  "\033[32m"
#define RED    "\033[31m"
#define YELLOW "\033[33m"

/* "On: 2 of 5 domains boosted; boosts take 3.1 % of 8 CPUs (cap 30.0 %)". */
static void render_head(const struct json_value *result, FILE *out, const struct terminal *terminal)
{
	const struct json_value *caps = json_member(result, "caps");
	struct totals totals = count(result);

	if (!value_bool(result, "enabled")) {
		print_colored(out, terminal, YELLOW, "Off");
		fprintf(out, ": nothing is boosted; %" PRId64 " domains run\n", totals.domains);
		return;
	}
	if (!source_ok(result, "bpf")) {
		print_colored(out, terminal, RED, "On, without a tracer");
		fputs(": nothing is measured or boosted\n", out);
		return;
	}
	if (strcmp(value_text(result, "breaker", "closed"), "open") == 0)
		print_colored(out, terminal, RED, "On, but the circuit breaker is open");
	else
		print_colored(out, terminal, GREEN, "On");
	fprintf(out, ": %" PRId64 " of %" PRId64 " domains boosted; boosts take ", totals.boosted,
	        totals.domains);
	print_share(out, totals.cost_permille / (totals.cpus ? totals.cpus : 1));
	fprintf(out, " of %" PRId64 " CPUs (cap ", totals.cpus);
	print_share(out, value_number(caps, "cpu_share_permille"));
	fputs(")\n", out);
}

/* ---- the table ---- */

enum kind {
	ROW_TEXT,
	ROW_NUMBER,
	NOW_TENTHS, /* permille, as per cent */
	NOW_NUMBER,
	NOW_WAIT,
	BEFORE_WAIT,
	BEFORE_TEXT,
};

static const struct {
	struct table_column column;
	enum kind kind;
	const char *key;
} cells[_STATUS_COLUMN_MAX] = {
        [STATUS_DOMAIN] = {{"DOMAIN", .cut = true}, ROW_TEXT, "domain"},
        [STATUS_UUID] = {{"UUID"}, ROW_TEXT, "uuid"},
        [STATUS_STATE] = {{"STATE"}, ROW_TEXT, "state"},
        [STATUS_PROFILE] = {{"PROFILE", .cut = true}, ROW_TEXT, "profile"},
        [STATUS_VCPUS] = {{"VCPUS", .right = true}, ROW_NUMBER, "vcpus"},
        [STATUS_BOOSTED] = {{"BOOSTED", .right = true}, ROW_NUMBER, "boosted_vcpus"},
        [STATUS_BOOST] = {{"BOOST%", .right = true}, NOW_TENTHS, "boosted_permille"},
        [STATUS_RUN] = {{"RUN%", .right = true}, NOW_TENTHS, "run_permille"},
        [STATUS_READY] = {{"READY%", .right = true}, NOW_TENTHS, "ready_permille"},
        [STATUS_P50] = {{"p50 us", .right = true}, NOW_WAIT, "p50"},
        [STATUS_P99] = {{"p99 us", .right = true}, NOW_WAIT, "p99"},
        [STATUS_P999] = {{"p99.9 us", .right = true}, NOW_WAIT, "p999"},
        [STATUS_MAX] = {{"max us", .right = true}, NOW_WAIT, "max"},
        [STATUS_BOOSTS] = {{"BOOSTS", .right = true}, NOW_NUMBER, "boosts"},
        [STATUS_DENIED] = {{"DENIED", .right = true}, NOW_NUMBER, "denied"},
        [STATUS_WAKEUPS] = {{"WAKEUPS", .right = true}, NOW_NUMBER, "wakeups"},
        [STATUS_FAST] = {{"FAST", .right = true}, NOW_NUMBER, "boosted_wakeups"},
        [STATUS_BEFORE] = {{"BEFORE us", .right = true}, BEFORE_WAIT, "p99"},
        [STATUS_WAS] = {{"WAS", .cut = true}, BEFORE_TEXT, "profile"},
        [STATUS_WHY] = {{"WHY NOT MORE"}, ROW_TEXT, "why"},
};

/** -1: not known, or nothing waited. */
static int64_t wait_us(const struct json_value *domain, const char *name, const char *key)
{
	const struct json_value *of = window(domain, name);
	const struct json_value *wait = of ? json_member(of, "wait_us") : NULL;

	return wait && value_number(wait, "count") > 0 ? value_number(wait, key) : -1;
}

/* A gain, or a loss, of more than a quarter: percentiles are off by up to that. */
static const char *gain_color(const struct json_value *domain)
{
	int64_t now = wait_us(domain, "now", "p99"), before = wait_us(domain, "before", "p99");

	if (now < 0 || before < 0)
		return NULL;
	if (now < before - before / 4)
		return "green";
	return now / 5 * 4 > before ? "red" : NULL;
}

static void add_cell(struct table *table, const struct json_value *domain, enum status_column id)
{
	const struct json_value *now = window(domain, "now");
	const char *key = cells[id].key, *color;

	switch (cells[id].kind) {
	case ROW_TEXT:
		cell_text(table, domain, key);
		return;
	case ROW_NUMBER:
		cell_number(table, domain, key);
		return;
	case NOW_TENTHS:
		table_add_tenths(table, value_number(now, key));
		return;
	case NOW_NUMBER:
		cell_number(table, now, key);
		return;
	case NOW_WAIT:
		table_add_number(table, wait_us(domain, "now", key));
		color = id == STATUS_P99 ? gain_color(domain) : NULL;
		if (color)
			table_color(table, color);
		return;
	case BEFORE_WAIT:
		table_add_number(table, wait_us(domain, "before", key));
		return;
	case BEFORE_TEXT:
		cell_text(table, window(domain, "before"), key);
		return;
	}
}

static void print_domains(const struct json_value *result, const struct status_columns *columns,
                          FILE *out, const struct table_style *style)
{
	const struct json_value *domains = json_member(result, "domains");
	struct table_column titles[_STATUS_COLUMN_MAX];
	CLEANUP(table_cleanup) struct table *table = NULL;

	for (size_t i = 0; i < columns->n; i++)
		titles[i] = cells[columns->columns[i]].column;
	table = table_new(titles, columns->n);
	for (const struct json_value *domain = first(domains); domain; domain = json_next(domain))
		for (size_t i = 0; i < columns->n; i++)
			add_cell(table, domain, columns->columns[i]);
	table_print_styled(table, out, style);
}

void render_domains(const struct json_value *result, const struct status_columns *columns,
                    bool titles, FILE *out, const struct terminal *terminal)
{
	print_domains(result, columns, out,
	              &(struct table_style){.width = terminal->columns,
	                                    .no_titles = !titles,
	                                    .colors = terminal->colors});
}

/* ---- what is wrong ---- */

static void render_wrong(const struct json_value *result, FILE *out,
                         const struct terminal *terminal, size_t width)
{
	const struct json_value *checks = json_member(result, "checks");
	int64_t n = 0, all = value_number(result, "wrong");

	for (const struct json_value *check = first(checks); check; check = json_next(check)) {
		const char *status = value_text(check, "status", "warn");
		const char *fix = value_text(check, "fix", "");
		bool failed = strcmp(status, "fail") == 0;

		if (n == WRONG_MAX)
			break;
		if (n++ == 0)
			fputs("\n", out);
		print_colored(out, terminal, failed ? RED : YELLOW, failed ? "fail" : "warn");
		fputs("  ", out);
		print_wrapped(out, value_text(check, "name", "?"), value_text(check, "detail", ""),
		              6, width);
		if (!fix[0])
			continue;
		fputs("      ", out);
		print_wrapped(out, "fix", fix, 6, width);
	}
	if (all > n)
		fprintf(out, "and %" PRId64 " more: pvschedctl doctor\n", all - n);
}

void render_overview(const struct json_value *result, bool titles, FILE *out,
                     const struct terminal *terminal)
{
	const struct json_value *domains = json_member(result, "domains");
	unsigned int width = terminal->columns ? terminal->columns : COLUMNS_DEFAULT;

	render_head(result, out, terminal);
	if (!first(domains)) {
		fputs("No domain runs here, or none was found yet.\n", out);
	} else {
		fputs("\n", out);
		print_domains(result, &columns_default, out,
		              &(struct table_style){.width = width,
		                                    .no_titles = !titles,
		                                    .colors = terminal->colors});
	}
	render_wrong(result, out, terminal, width);
}
