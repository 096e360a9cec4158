/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Text tables, by libsmartcols. Each column is as wide as its widest cell on a terminal; two spaces
 * separate columns.
 */

#include <stdio.h>

#include "util/base.h"

struct table_column {
	const char *title;
	bool right; /* numbers */
	bool cut;   /* its cells may be cut where the table would be too wide */
};

struct table;

/** How it is printed; zeroed: with titles, as wide as it needs, without colours. */
struct table_style {
	unsigned int width; /* cells are cut to fit into it; 0: they are not */
	bool narrow;        /* one space between columns */
	bool no_titles;
	bool colors;
};

/** Makes a table without rows. Returns NULL when out of memory. */
struct table *table_new(const struct table_column *columns, size_t n_columns);

/** Takes NULL; returns NULL. */
struct table *table_free(struct table *table);

/** For CLEANUP(). */
void table_cleanup(struct table **table);

/**
 * Adds the next cell, row by row. The text is escaped, since it may come from outside. If memory
 * ran out, or @table is NULL, table_print() prints a note instead.
 */
void table_add(struct table *table, const char *text);

/** The same, formatted; at most 255 bytes. */
void table_addf(struct table *table, const char *format, ...) PRINTF_FORMAT(2, 3);

/** A number, or "-" if it is negative: not known. */
void table_add_number(struct table *table, int64_t number);

/** The same, of tenths: with one decimal. */
void table_add_tenths(struct table *table, int64_t tenths);

/** The cell that was added last has this colour, as "green", where there are colours. */
void table_color(struct table *table, const char *color);

/** Prints titles and rows. Prints nothing if there are no rows. */
void table_print(struct table *table, FILE *out);
void table_print_styled(struct table *table, FILE *out, const struct table_style *style);
