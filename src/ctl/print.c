// SPDX-License-Identifier: GPL-2.0-or-later
#include "ctl/print.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/value.h"
#include "util/cleanup.h"
#include "util/escape.h"

void print_escaped(FILE *out, const char *text)
{
	size_t size = ESCAPE_SIZE(strlen(text));
	CLEANUP(cleanup_free) char *escaped = malloc(size);

	if (!escaped)
		return;
	escape_text(text, escaped, size);
	fputs(escaped, out);
}

void print_wrapped(FILE *out, const char *name, const char *text, size_t indent, size_t width)
{
	size_t size = ESCAPE_SIZE(strlen(name) + strlen(text)) + 2, used, column;
	CLEANUP(cleanup_free) char *all = malloc(size);
	char *rest, *word;

	if (!all)
		return;
	used = escape_text(name, all, size);
	all[used++] = ':';
	all[used++] = ' ';
	escape_text(text, all + used, size - used);
	column = indent;
	for (word = strtok_r(all, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
		size_t length = utf8_length(word);
		bool begins = column == indent;

		if (!begins && column + 1 + length > width) {
			fprintf(out, "\n%*s", (int)indent, "");
			column = indent;
			begins = true;
		}
		fprintf(out, "%s%s", begins ? "" : " ", word);
		column += length + !begins;
	}
	fputs("\n", out);
}

void print_share(FILE *out, int64_t permille)
{
	if (permille < 0)
		fputs("-", out);
	else
		fprintf(out, "%" PRId64 ".%" PRId64 " %%", permille / 10, permille % 10);
}

void print_duration(FILE *out, int64_t ns)
{
	char text[64] = "-";

	if (ns >= 0)
		format_duration(ns, text, sizeof(text));
	fputs(text, out);
}
