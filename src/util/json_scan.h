/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Private to util/json*.c: the pass over the text. It decides what is JSON and keeps, for each
 * value in the order of the text, what it is and where it stands.
 */

#include "util/json_error.h"

/* How a number is written. */
enum json_number {
	JSON_NUMBER_NONE,     /* not a number */
	JSON_NUMBER_INTEGER,  /* digits only, within +-JSON_INTEGER_MAX */
	JSON_NUMBER_FRACTION, /* with fraction or exponent */
	JSON_NUMBER_HUGE,     /* digits only, beyond */
};

struct json_value {
	enum json_type type;
	enum json_number number;
	int64_t integer;    /* of a JSON_NUMBER_INTEGER; 0 or 1 of a bool */
	const char *string; /* of a string, without escapes, in UTF-8 */
	const char *key;    /* of a member of an object, likewise; else NULL */
	uint32_t line;
	uint32_t index;    /* own place in the document's array */
	uint32_t parent;   /* its place; the root is its own parent */
	uint32_t end;      /* place behind the last value inside this one */
	uint32_t position; /* among the members or elements of the parent */
	uint32_t file;     /* see json_set_file() */
};

struct json_doc {
	struct json_value *values; /* in the order of the text; the root first */
	size_t n_values;
	char *strings; /* all keys and strings; NULL for a merged document, which has those of
	                  others */
};

/**
 * Checks the text as json_parse() describes, except for duplicate keys, and fills @doc, which is
 * all zero before and which json_free() frees, whatever is returned. Returns 0; -EBADMSG or -ENOMEM
 * with an error.
 */
int json_scan(const char *text, size_t size, struct json_doc *doc, struct json_error *error);
