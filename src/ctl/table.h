/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Text tables. Each column is as wide as its widest cell; two spaces separate columns.
 */

#include <stdio.h>

#include "util/base.h"

struct table_column {
	const char *title;
	bool right; /* numbers */
};

struct table;

/** Makes a table without rows. It keeps the pointer @columns. Returns NULL when out of memory. */
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

/** Prints titles and rows, indented by @indent spaces. Prints nothing if there are no rows. */
void table_print(const struct table *table, FILE *out, int indent);
