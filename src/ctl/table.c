/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/table.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "util/escape.h"

struct table {
	const struct table_column *columns;
	size_t n_columns;
	char **cells;
	size_t n_cells;
	size_t n_allocated;
	bool failed;
};

struct table *table_new(const struct table_column *columns, size_t n_columns)
{
	struct table *table = calloc(1, sizeof(*table));

	if (!table)
		return NULL;
	table->columns = columns;
	table->n_columns = n_columns;
	return table;
}

struct table *table_free(struct table *table)
{
	if (!table)
		return NULL;
	for (size_t i = 0; i < table->n_cells; i++)
		free(table->cells[i]);
	free(table->cells);
	free(table);
	return NULL;
}

void table_cleanup(struct table **table)
{
	*table = table_free(*table);
}

static bool table_reserve(struct table *table)
{
	size_t wanted = table->n_allocated ? 2 * table->n_allocated : 64;
	char **cells;

	if (table->n_cells < table->n_allocated)
		return true;
	cells = reallocarray(table->cells, wanted, sizeof(*cells));
	if (!cells)
		return false;
	table->cells = cells;
	table->n_allocated = wanted;
	return true;
}

void table_add(struct table *table, const char *text)
{
	size_t size = ESCAPE_SIZE(strlen(text));
	char *cell;

	if (!table || table->failed)
		return;
	cell = malloc(size);
	if (!cell || !table_reserve(table)) {
		free(cell);
		table->failed = true;
		return;
	}
	escape_text(text, cell, size);
	table->cells[table->n_cells++] = cell;
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

static size_t column_width(const struct table *table, size_t column)
{
	size_t width = utf8_length(table->columns[column].title);

	for (size_t i = column; i < table->n_cells; i += table->n_columns)
		width = MAX(width, utf8_length(table->cells[i]));
	return width;
}

static void print_cell(const struct table *table, FILE *out, size_t column, size_t width,
                       const char *text)
{
	int padding = (int)(width - utf8_length(text));
	bool last = column + 1 == table->n_columns;

	if (table->columns[column].right)
		fprintf(out, "%*s%s", padding, "", text);
	else
		fprintf(out, "%s%*s", text, last ? 0 : padding, "");
	fputs(last ? "\n" : "  ", out);
}

void table_print(const struct table *table, FILE *out, int indent)
{
	size_t widths[32];

	if (!table || table->failed || table->n_columns > ARRAY_SIZE(widths)) {
		fputs("(out of memory: this table is missing)\n", out);
		return;
	}
	if (table->n_cells == 0)
		return;
	for (size_t c = 0; c < table->n_columns; c++)
		widths[c] = column_width(table, c);
	fprintf(out, "%*s", indent, "");
	for (size_t c = 0; c < table->n_columns; c++)
		print_cell(table, out, c, widths[c], table->columns[c].title);
	for (size_t i = 0; i < table->n_cells; i++) {
		if (i % table->n_columns == 0)
			fprintf(out, "%*s", indent, "");
		print_cell(table, out, i % table->n_columns, widths[i % table->n_columns],
		           table->cells[i]);
	}
}
