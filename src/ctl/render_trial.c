// SPDX-License-Identifier: GPL-2.0-or-later
#include "ctl/render_trial.h"

#include <inttypes.h>
#include <string.h>

#include "ctl/print.h"
#include "ctl/table.h"
#include "ctl/value.h"
#include "util/cleanup.h"

static const char *const percentiles[][2] = {
        {"p50", "p50_us"}, {"p99", "p99_us"}, {"p99.9", "p999_us"}};

static const char *const neighbours[][2] = {
        {"other-domains", "other domains"},
        {"cpu-time", "CPU time"},
        {"threads", "ordinary threads"},
};

/** A number that may be negative; 0 if there is none. */
static int64_t number_of(const struct json_value *object, const char *key)
{
	struct json_error error = JSON_ERROR_NULL;
	int64_t number = 0;

	if (!object ||
	    json_get_integer(object, key, -JSON_INTEGER_MAX, JSON_INTEGER_MAX, &number, &error) < 0)
		return 0;
	return number;
}

static const char *advice_words(const struct json_value *trial)
{
	const char *advice = value_text(trial, "advice", "-");

	return strcmp(advice, "recommend") == 0        ? "recommended"
	       : strcmp(advice, "not-worth-it") == 0   ? "not worth it"
	       : strcmp(advice, "price-too-high") == 0 ? "price too high"
	                                               : "cannot tell";
}

static int64_t p99_of(const struct json_value *trial, const char *side)
{
	const struct json_value *member = json_member(trial, side);

	return number_of(member ? json_member(member, "p99_us") : NULL, "value");
}

static const struct json_value *worst_of(const struct json_value *trial)
{
	const struct json_value *price = json_member(trial, "price");

	return price ? json_member(price, value_text(price, "worst", "-")) : NULL;
}

/** A loss in permille, as "1.2 %"; of a gain "none". */
static void print_loss(FILE *out, int64_t permille)
{
	if (permille > 0)
		print_share(out, permille);
	else
		fputs("none", out);
}

static void print_blocks(const struct json_value *trial, FILE *out)
{
	int64_t n = number_of(trial, "blocks");

	fprintf(out, "%" PRId64 " %s", n, n == 1 ? "block" : "blocks");
}

/* In whole seconds: it is printed twice a second. */
static void print_left(int64_t left_s, FILE *out)
{
	if (left_s > 0)
		print_duration(out, left_s * (int64_t)NSEC_PER_SEC);
	else
		fputs("less than 1 s", out);
	fputs(" left; ", out);
}

void render_trial_progress(const struct json_value *trial, FILE *out)
{
	const struct json_value *window = json_member(trial, "window"), *worst = worst_of(trial);
	int64_t left_ms = number_of(trial, "for_ms") - number_of(trial, "elapsed_ms");

	print_escaped(out, value_text(trial, "domain", "-"));
	fprintf(out, ": %s, ",
	        window && value_bool(window, "boosts") ? "boosts" : "does not boost");
	print_left(left_ms / 1000, out);
	print_blocks(trial, out);
	if (number_of(trial, "blocks") == 0)
		return;
	fprintf(out, ": p99 %" PRId64 " -> %" PRId64 " us", p99_of(trial, "off"),
	        p99_of(trial, "on"));
	if (!worst)
		return;
	fputs(", others lose ", out);
	print_loss(out, number_of(worst, "value"));
}

/* ---- the verdict ---- */

static void cell_interval(struct table *table, const struct json_value *side, const char *key)
{
	const struct json_value *interval = side ? json_member(side, key) : NULL;

	table_add_number(table, number_of(interval, "value"));
	table_addf(table, "%" PRId64 "..%" PRId64, number_of(interval, "low"),
	           number_of(interval, "high"));
}

static void print_waits(const struct json_value *trial, FILE *out)
{
	static const struct table_column columns[] = {
	        {"WAIT us", false}, {"WITHOUT", true}, {"95 %", true},
	        {"WITH", true},     {"95 %", true},
	};
	CLEANUP(table_cleanup) struct table *table = table_new(columns, ARRAY_SIZE(columns));

	for (size_t i = 0; i < ARRAY_SIZE(percentiles); i++) {
		table_add(table, percentiles[i][0]);
		cell_interval(table, json_member(trial, "off"), percentiles[i][1]);
		cell_interval(table, json_member(trial, "on"), percentiles[i][1]);
	}
	table_print(table, out);
}

static void cell_loss(struct table *table, int64_t permille)
{
	if (permille > 0)
		table_addf(table, "%" PRId64 ".%" PRId64 " %%", permille / 10, permille % 10);
	else
		table_add(table, "none");
}

static void print_price(const struct json_value *trial, FILE *out)
{
	static const struct table_column columns[] = {
	        {"OTHERS", false}, {"LOST", true}, {"AT MOST", true}};
	CLEANUP(table_cleanup) struct table *table = table_new(columns, ARRAY_SIZE(columns));
	const struct json_value *price = json_member(trial, "price"), *loss;

	if (!price)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(neighbours); i++) {
		loss = json_member(price, neighbours[i][0]);
		if (!loss)
			continue;
		table_add(table, neighbours[i][1]);
		cell_loss(table, number_of(loss, "value"));
		cell_loss(table, number_of(loss, "high"));
	}
	fputs("\n", out);
	table_print(table, out);
	fputs("\nBoosted for ", out);
	print_share(out, value_number(price, "boosted_permille"));
	fputs(" of a CPU in windows that boost.\n", out);
}

void render_trial(const struct json_value *trial, FILE *out)
{
	bool runs = strcmp(value_text(trial, "state", "-"), "running") == 0;

	print_escaped(out, value_text(trial, "domain", "-"));
	fprintf(out, ": %s%s. ", runs ? "so far " : "", advice_words(trial));
	print_escaped(out, value_text(trial, "text", ""));
	fputs("\n", out);
	print_escaped(out, value_text(trial, "state_text", ""));
	if (json_member(trial, "explanation")) {
		fputs(" ", out);
		print_escaped(out, value_text(trial, "explanation", ""));
	}
	fputs("\nProfile ", out);
	print_escaped(out, value_text(trial, "profile", "-"));
	fputs(", ", out);
	print_duration(out, number_of(trial, "elapsed_ms") * (int64_t)NSEC_PER_MSEC);
	fputs(", ", out);
	print_blocks(trial, out);
	fputs(" of two windows\n", out);
	if (number_of(trial, "blocks") > 0) {
		fputs("\n", out);
		print_waits(trial, out);
		print_price(trial, out);
	}
	if (!json_member(trial, "command"))
		return;
	fputs("\nFor good: ", out);
	print_escaped(out, value_text(trial, "command", ""));
	fputs("\n", out);
}

/* ---- several ---- */

void render_trials(const struct json_value *const trials[], size_t n, FILE *out)
{
	static const struct table_column columns[] = {
	        {"DOMAIN", false}, {"VERDICT", false}, {"p99 us", true},
	        {"WITH us", true}, {"LOST", true},     {"BOOSTED", true},
	};
	CLEANUP(table_cleanup) struct table *table = table_new(columns, ARRAY_SIZE(columns));

	for (size_t i = 0; i < n; i++) {
		const struct json_value *price = json_member(trials[i], "price");
		const struct json_value *worst = worst_of(trials[i]);

		cell_text(table, trials[i], "domain");
		table_add(table, advice_words(trials[i]));
		table_add_number(table, p99_of(trials[i], "off"));
		table_add_number(table, p99_of(trials[i], "on"));
		if (worst && number_of(worst, "value") > 0)
			cell_share(table, worst, "value");
		else
			table_add(table, worst ? "none" : "-");
		cell_share(table, price, "boosted_permille");
	}
	table_print(table, out);
	for (size_t i = 0; i < n; i++) {
		if (!json_member(trials[i], "command"))
			continue;
		print_escaped(out, value_text(trials[i], "command", ""));
		fputs("\n", out);
	}
}

int trial_compare(const struct json_value *a, const struct json_value *b)
{
	bool a_good = strcmp(value_text(a, "advice", "-"), "recommend") == 0;
	bool b_good = strcmp(value_text(b, "advice", "-"), "recommend") == 0;
	int64_t a_us = p99_of(a, "off") - p99_of(a, "on");
	int64_t b_us = p99_of(b, "off") - p99_of(b, "on");

	if (a_good != b_good)
		return a_good ? -1 : 1;
	return (a_us < b_us) - (a_us > b_us);
}
