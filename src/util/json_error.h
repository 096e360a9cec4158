/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The bounds of a JSON text, its types, and what is said of one that breaks the rules. */

#include "util/base.h"

#define JSON_SIZE_MAX  (8 * 1024 * 1024) /* of a text; a status of 4096 vCPUs has 2 to 6 MiB */
#define JSON_DEPTH_MAX 16                /* objects and arrays in each other */
#define JSON_PATH_MAX  256

/** The largest integers of which a double (so most other readers of JSON) misses none. */
#define JSON_INTEGER_MAX (INT64_C(1) << 53)

enum json_type {
	JSON_NULL,
	JSON_BOOL,
	JSON_NUMBER,
	JSON_STRING,
	JSON_ARRAY,
	JSON_OBJECT,
};

struct json_error {
	unsigned int file;        /* of the value, see json_set_file(); 0 unless set */
	unsigned int line;        /* from 1; 0: the text as a whole */
	char path[JSON_PATH_MAX]; /* ".domains.name.web"; "" where the text is not even JSON */
	char message[512];
};

#define JSON_ERROR_NULL ((struct json_error){0})
