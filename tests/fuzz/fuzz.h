/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What the fuzz targets share. A target is a function for libFuzzer; linked with replay_main.c
 * instead, it is an ordinary test over its corpus:
 *
 *	clang -g -O1 -fsanitize=fuzzer,address ... fuzz_json.c SOURCES -lcjson
 *	cc -g ... fuzz_json.c replay_main.c SOURCES -lcjson && ./a.out corpus/json
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/** Ends the program if what must hold whatever the input does not hold. */
#define FUZZ_CHECK(cond)                                                                           \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #cond);       \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

/**
 * A message for people must be fit for a terminal, a log and a JSON string, whatever was wrong: not
 * empty, valid UTF-8, no control characters.
 */
static inline void fuzz_check_message(const char *message)
{
	char text[4096] = "\"";
	size_t n = 1;
	struct json_doc *doc = NULL;
	struct json_error error;

	FUZZ_CHECK(message[0]);
	for (const char *p = message; *p; p++) {
		FUZZ_CHECK(n + 3 < sizeof(text));
		if (*p == '"' || *p == '\\')
			text[n++] = '\\';
		text[n++] = *p;
	}
	text[n++] = '"';
	FUZZ_CHECK(json_parse(text, n, &doc, &error) == 0);
	json_free(doc);
}
