/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Private to util/json*.c: the pass over the text that cJSON's own parser is too lenient for. It
 * decides what is JSON and remembers, for each value in the order of the text, where it stands.
 */

#include "util/json.h"

struct cJSON;

/* What the text of a number is, apart from the double that cJSON makes of it. */
enum json_number {
	JSON_NUMBER_NONE,     /* not a number */
	JSON_NUMBER_INTEGER,  /* digits only, within +-JSON_INTEGER_MAX */
	JSON_NUMBER_FRACTION, /* with fraction or exponent */
	JSON_NUMBER_HUGE,     /* digits only, beyond */
};

struct json_value {
	/* from json_scan() */
	enum json_type type;
	enum json_number number;
	int64_t integer;
	uint32_t line;
	/* from the tree */
	uint32_t index;    /* own place in the document's array */
	uint32_t parent;   /* its place; the root is its own parent */
	uint32_t end;      /* place behind the last value inside this one */
	uint32_t position; /* among the elements of an array */
	uint32_t file;     /* see json_set_file() */
	const struct cJSON *item;
};

struct json_doc {
	struct cJSON *tree; /* NULL for a merged one: its values are of the trees of others */
	struct json_value *values; /* in the order of the text; the root first */
	size_t n_values;
};

/**
 * Checks the text as json_parse() describes, but for duplicate keys.
 * Returns 0 and an array of *n values, which the caller frees, in the order in which they begin;
 * -EBADMSG or -ENOMEM with an error.
 */
int json_scan(const char *text, size_t size, struct json_value **ret, size_t *n,
              struct json_error *error);
