/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Tables for people: columns as wide as their widest cell, two spaces between them, nothing else.
 */

#include <stdio.h>

#include "util/base.h"

struct table_column {
	const char *title;
	bool right; /* numbers */
};

struct table;

/** A table without rows; @columns are kept, not copied. NULL when memory is out. */
struct table *table_new(const struct table_column *columns, size_t n_columns);

/** Takes NULL; returns NULL. */
struct table *table_free(struct table *table);

/** For CLEANUP(). */
void table_cleanup(struct table **table);

/**
 * Adds the next cell, row by row, escaped: its text may come from outside. A table that found no
 * memory, or is NULL, says so when it is printed.
 */
void table_add(struct table *table, const char *text);

/** The same, formatted; at most 255 bytes. */
void table_addf(struct table *table, const char *format, ...) PRINTF_FORMAT(2, 3);

/** Prints titles and rows, each line after @indent spaces; nothing if there are no rows. */
void table_print(const struct table *table, FILE *out, int indent);
