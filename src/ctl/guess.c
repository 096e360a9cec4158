/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/guess.h"

#include <string.h>

#include "util/base.h"

#define WORD_BYTES 32 /* longer words are no mistakes */

/** How many letters must be inserted, removed or replaced to make @b of @a. */
static unsigned int edits(const char *a, const char *b)
{
	unsigned int row[WORD_BYTES + 1], n = (unsigned int)strlen(b);

	if (strlen(a) > WORD_BYTES || n > WORD_BYTES)
		return WORD_BYTES;
	for (unsigned int j = 0; j <= n; j++)
		row[j] = j;
	for (unsigned int i = 1; *a; a++, i++) {
		unsigned int diagonal = row[0];

		row[0] = i;
		for (unsigned int j = 1; j <= n; j++) {
			unsigned int above = row[j];

			row[j] = MIN(MIN(above, row[j - 1]) + 1, diagonal + (*a != b[j - 1]));
			diagonal = above;
		}
	}
	return row[n];
}

void guess_try(struct guess *guess, const char *given, const char *name)
{
	unsigned int n = edits(given, name);

	if (n < guess->edits && n < strlen(name))
		*guess = (struct guess){name, n};
}
