/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/table.h"

#include <inttypes.h>
#include <libsmartcols.h>
#include <locale.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "util/escape.h"

struct table {
	struct libscols_table *scols;
	struct libscols_line *line; /* of the next cell */
	size_t n_columns, next;     /* the next cell's column */
	bool failed;
};

struct table *table_new(const struct table_column *columns, size_t n_columns)
{
	struct table *table = calloc(1, sizeof(*table));

	if (!table)
		return NULL;
	table->n_columns = n_columns;
	table->scols = scols_new_table();
	if (!table->scols)
		return table_free(table);
	scols_table_enable_noencoding(table->scols, 1); /* table_add() escapes */
	for (size_t i = 0; i < n_columns; i++)
		if (!scols_table_new_column(table->scols, columns[i].title, 0,
		                            (columns[i].right ? SCOLS_FL_RIGHT : 0) |
		                                    (columns[i].cut ? SCOLS_FL_TRUNC : 0)))
			return table_free(table);
	return table;
}

struct table *table_free(struct table *table)
{
	if (!table)
		return NULL;
	scols_unref_table(table->scols);
	free(table);
	return NULL;
}

void table_cleanup(struct table **table)
{
	*table = table_free(*table);
}

void table_add(struct table *table, const char *text)
{
	size_t size = ESCAPE_SIZE(strlen(text));
	char *cell;

	if (!table || table->failed)
		return;
	if (table->next == 0)
		table->line = scols_table_new_line(table->scols, NULL);
	cell = malloc(size);
	if (cell)
		escape_text(text, cell, size);
	if (!cell || !table->line || scols_line_refer_data(table->line, table->next, cell) < 0) {
		free(cell);
		table->failed = true;
	}
	table->next = (table->next + 1) % table->n_columns;
}

void table_addf(struct table *table, const char *format, ...)
{
	char text[256];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	table_add(table, text);
}

void table_add_number(struct table *table, int64_t number)
{
	if (number < 0)
		table_add(table, "-");
	else
		table_addf(table, "%" PRId64, number);
}

void table_add_tenths(struct table *table, int64_t tenths)
{
	if (tenths < 0)
		table_add(table, "-");
	else
		table_addf(table, "%" PRId64 ".%" PRId64, tenths / 10, tenths % 10);
}

void table_color(struct table *table, const char *color)
{
	size_t last;

	if (!table || table->failed)
		return;
	last = (table->next + table->n_columns - 1) % table->n_columns;
	if (scols_cell_set_color(scols_line_get_cell(table->line, last), color) < 0)
		table->failed = true;
}

void table_print(struct table *table, FILE *out)
{
	table_print_styled(table, out, &(struct table_style){0});
}

void table_print_styled(struct table *table, FILE *out, const struct table_style *style)
{
	/* our texts are UTF-8, whatever the user's locale is */
	locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0), before;
	bool failed = !table || table->failed || !utf8;

	if (!failed && !scols_table_is_empty(table->scols)) {
		struct libscols_table *scols = table->scols;

		before = uselocale(utf8);
		failed = scols_table_set_column_separator(scols, style->narrow ? " " : "  ") < 0;
		scols_table_set_stream(scols, out);
		scols_table_enable_noheadings(scols, style->no_titles);
		scols_table_enable_colors(scols, style->colors);
		scols_table_set_termforce(scols, style->width ? SCOLS_TERMFORCE_ALWAYS
		                                              : SCOLS_TERMFORCE_NEVER);
		if (style->width)
			scols_table_set_termwidth(scols, style->width);
		failed = failed || scols_print_table(scols) < 0;
		uselocale(before);
	}
	if (failed)
		fputs("(out of memory: this table is missing)\n", out);
	if (utf8)
		freelocale(utf8);
}
