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
