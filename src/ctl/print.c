// SPDX-License-Identifier: GPL-2.0-or-later
#include "ctl/print.h"

#include <stdlib.h>
#include <string.h>

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
