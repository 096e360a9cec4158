/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/top_rows.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/table.h"
#include "ctl/value.h"
#include "util/cleanup.h"

const char *const top_sort_names[_TOP_SORT_MAX] = {
        [TOP_SORT_WAIT] = "wait",
        [TOP_SORT_BOOST] = "boost",
        [TOP_SORT_DENIED] = "denied",
};

static bool is_same(const struct json_value *a, const struct json_value *b)
{
	return strcmp(value_text(a, "uuid", "?"), value_text(b, "uuid", "??")) == 0 &&
	       value_number(a, "vcpu") == value_number(b, "vcpu");
}

/** Answers mostly have the same rows in the same order, so the search begins at the same place. */
static const struct json_value *find(const struct json_value *rows, const struct json_value *row,
                                     const struct json_value *hint)
{
	if (hint && is_same(hint, row))
		return hint;
	JSON_FOREACH(candidate, rows)
	{
		if (is_same(candidate, row))
			return candidate;
	}
	return NULL;
}

/** How much more it is than before, per @per_us; -1: not known, or another vCPU's. */
static int64_t rate(const struct json_value *before, const struct json_value *now, const char *key,
                    int64_t took_us, int64_t per_us)
{
	int64_t first = before ? value_number(before, key) : -1, last = value_number(now, key);

	if (first < 0 || last < first || took_us <= 0 || last - first > INT64_MAX / per_us)
		return -1;
	return (last - first) * per_us / took_us;
}

static int64_t permille(const struct json_value *before, const struct json_value *now,
                        const char *key, int64_t took_us)
{
	return rate(before, now, key, took_us, 1);
}

/** A figure of the waits in a window; -1: not known, or there were none. */
static int64_t wait_us(const struct json_value *row, const char *window, const char *key)
{
	const struct json_value *windows = json_member(row, "windows");
	const struct json_value *of = windows ? json_member(windows, window) : NULL;
	const struct json_value *wait = of ? json_member(of, "wait_us") : NULL;

	return wait && value_number(wait, "count") != 0 ? value_number(wait, key) : -1;
}

static struct top_row make_row(const struct json_value *before, const struct json_value *now,
                               int64_t took_us)
{
	return (struct top_row){
	        .value = now,
	        .boosts_per_10s = rate(before, now, "boosts_total", took_us, 10000000),
	        .denied_per_10s = rate(before, now, "denied_sum", took_us, 10000000),
	        /* ns per us is permille */
	        .run_permille = permille(before, now, "run_ns", took_us),
	        .ready_permille = permille(before, now, "wait_ns", took_us),
	        .boosted_permille = permille(before, now, "boosted_ns", took_us),
	        .p50_us = wait_us(now, "now", "p50"),
	        .p99_us = wait_us(now, "now", "p99"),
	        .max_us = wait_us(now, "now", "max"),
	        .before_p99_us = wait_us(now, "before", "p99"),
	};
}

static size_t count(const struct json_value *rows)
{
	size_t n = 0;

	JSON_FOREACH(row, rows)
	{
		(void)row;
		n++;
	}
	return n;
}

int top_rows_make(const struct json_value *before, const struct json_value *now,
                  struct top_rows *ret)
{
	const struct json_value *rows = now ? json_member(now, "rows") : NULL;
	const struct json_value *earlier = before ? json_member(before, "rows") : NULL;
	const struct json_value *hint = earlier ? json_first(earlier) : NULL;
	int64_t begin_us = before ? value_number(before, "taken_us") : -1;

	*ret = (struct top_rows){.took_us = -1};
	if (!rows)
		return -EBADMSG;
	if (begin_us >= 0)
		ret->took_us = value_number(now, "taken_us") - begin_us;
	ret->rows = calloc(count(rows) + 1, sizeof(*ret->rows));
	if (!ret->rows)
		return -ENOMEM;
	JSON_FOREACH(row, rows)
	{
		const struct json_value *match = earlier ? find(earlier, row, hint) : NULL;

		hint = match ? json_next(match) : NULL;
		ret->of_vcpus |= value_number(row, "vcpu") >= 0;
		ret->rows[ret->n++] = make_row(match, row, ret->took_us);
	}
	return 0;
}

void top_rows_free(struct top_rows *rows)
{
	free(rows->rows);
	*rows = (struct top_rows){.took_us = -1};
}

/* ---- order ---- */

static int64_t key_of(const struct top_row *row, enum top_sort by)
{
	if (by == TOP_SORT_BOOST)
		return row->boosted_permille;
	return by == TOP_SORT_DENIED ? row->denied_per_10s : row->p99_us;
}

static int compare(const void *a, const void *b, void *by)
{
	int64_t first = key_of(a, *(const enum top_sort *)by);
	int64_t second = key_of(b, *(const enum top_sort *)by);

	if (first != second)
		return first > second ? -1 : 1;
	/* qsort keeps no order by itself */
	return ((const struct top_row *)a)->value < ((const struct top_row *)b)->value ? -1 : 1;
}

void top_rows_sort(struct top_rows *rows, enum top_sort by)
{
	qsort_r(rows->rows, rows->n, sizeof(*rows->rows), compare, &by);
}

/* ---- text ---- */

/** @all: also the columns for which a narrow window has no room. */
static void add_row(struct table *table, const struct top_row *row, bool of_vcpus, bool all)
{
	cell_text(table, row->value, "domain");
	cell_number(table, row->value, of_vcpus ? "vcpu" : "vcpus");
	cell_text(table, row->value, "state");
	table_add_tenths(table, row->boosts_per_10s);
	table_add_tenths(table, row->boosted_permille);
	if (all)
		table_add_tenths(table, row->ready_permille);
	table_add_number(table, row->p50_us);
	table_add_number(table, row->p99_us);
	table_add_number(table, row->max_us);
	if (all)
		table_add_number(table, row->before_p99_us);
	table_add_tenths(table, row->denied_per_10s);
	cell_text(table, row->value, "reason");
}

static struct table *new_table(bool of_vcpus, bool all)
{
	const struct {
		struct table_column column;
		bool wide;
	} known[] = {
	        {{"DOMAIN", .cut = true}, false},
	        {{of_vcpus ? "VCPU" : "VCPUS", .right = true}, false},
	        {{"STATE"}, false},
	        {{"BOOST/s", .right = true}, false},
	        {{"BOOST%", .right = true}, false},
	        {{"READY%", .right = true}, true},
	        {{"p50 us", .right = true}, false},
	        {{"p99", .right = true}, false},
	        {{"max", .right = true}, false},
	        {{"BEFORE", .right = true}, true},
	        {{"DENY/s", .right = true}, false},
	        {{"WHY"}, false},
	};
	struct table_column columns[ARRAY_SIZE(known)];
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (all || !known[i].wide)
			columns[n++] = known[i].column;
	return table_new(columns, n);
}

void top_rows_print(const struct top_rows *rows, size_t limit, unsigned int width, FILE *out)
{
	bool all = width == 0 || width >= TOP_WIDTH_ALL;
	CLEANUP(table_cleanup) struct table *table = new_table(rows->of_vcpus, all);
	size_t n = limit && limit < rows->n ? limit : rows->n;

	if (rows->n == 0)
		fputs("No domain runs here, or none was found yet.\n", out);
	for (size_t i = 0; i < n; i++)
		add_row(table, &rows->rows[i], rows->of_vcpus, all);
	table_print_styled(table, out, &(struct table_style){.width = width, .narrow = !all});
	if (n < rows->n)
		fprintf(out, "and %zu more\n", rows->n - n);
}

/* ---- JSON ---- */

static void cleanup_cjson(cJSON **json)
{
	cJSON_Delete(*json);
}

static bool add_known(cJSON *object, const char *key, int64_t number, double unit)
{
	return number < 0 || cJSON_AddNumberToObject(object, key, (double)number / unit);
}

static bool copy_texts(cJSON *object, const struct json_value *value)
{
	static const char *const keys[] = {"domain", "uuid", "state", "profile", "reason"};
	bool ok = true;

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		ok = ok &&
		     cJSON_AddStringToObject(object, keys[i], value_text(value, keys[i], "-"));
	ok = ok && add_known(object, "vcpus", value_number(value, "vcpus"), 1);
	ok = ok && add_known(object, "vcpu", value_number(value, "vcpu"), 1);
	return ok && add_known(object, "tid", value_number(value, "tid"), 1);
}

/** A window as `show` has it, but for what a row has by itself. */
static bool add_json_window(cJSON *windows, const struct json_value *row, const char *name)
{
	const struct json_value *all = json_member(row, "windows");
	const struct json_value *window = all ? json_member(all, name) : NULL;
	const char *profile = value_text(window, "profile", NULL);
	cJSON *object, *waits;

	if (!window)
		return true;
	object = cJSON_AddObjectToObject(windows, name);
	waits = cJSON_AddObjectToObject(object, "wait_us");
	return waits && (!profile || cJSON_AddStringToObject(object, "profile", profile)) &&
	       add_known(object, "seconds", value_number(window, "seconds"), 1) &&
	       add_known(waits, "p50", wait_us(row, name, "p50"), 1) &&
	       add_known(waits, "p99", wait_us(row, name, "p99"), 1) &&
	       add_known(waits, "max", wait_us(row, name, "max"), 1);
}

static bool add_json_windows(cJSON *object, const struct json_value *row)
{
	cJSON *windows = cJSON_AddObjectToObject(object, "windows");

	return windows && add_json_window(windows, row, "now") &&
	       add_json_window(windows, row, "before");
}

static bool add_json_row(cJSON *array, const struct top_row *row)
{
	cJSON *object = cJSON_CreateObject();

	return cJSON_AddItemToArray(array, object) && copy_texts(object, row->value) &&
	       add_known(object, "boosts_per_s", row->boosts_per_10s, 10) &&
	       add_known(object, "boosted_permille", row->boosted_permille, 1) &&
	       add_known(object, "run_permille", row->run_permille, 1) &&
	       add_known(object, "ready_permille", row->ready_permille, 1) &&
	       add_known(object, "denied_per_s", row->denied_per_10s, 10) &&
	       add_json_windows(object, row->value);
}

int top_rows_print_json(const struct top_rows *rows, size_t limit, FILE *out)
{
	CLEANUP(cleanup_cjson) cJSON *root = cJSON_CreateObject();
	CLEANUP(cleanup_free) char *text = NULL;
	size_t n = limit && limit < rows->n ? limit : rows->n;
	cJSON *array;
	bool ok = add_known(root, "seconds", rows->took_us, 1e6);

	array = cJSON_AddArrayToObject(root, "rows");
	ok = ok && array;
	for (size_t i = 0; i < n && ok; i++)
		ok = add_json_row(array, &rows->rows[i]);
	text = ok ? cJSON_PrintUnformatted(root) : NULL;
	if (!text)
		return -ENOMEM;
	fprintf(out, "%s\n", text);
	return 0;
}
