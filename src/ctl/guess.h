/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* What was probably meant by a word that is unknown: the name that is fewest edits away. Pure. */

struct guess {
	const char *name; /* NULL: none is near enough */
	unsigned int edits;
};

/** Edits that a mistake may have, and one more: no name yet. */
#define GUESS_EDITS_MAX 2
#define GUESS_INIT      ((struct guess){.edits = GUESS_EDITS_MAX + 1})

/** Keeps @name, which must outlive the guess, if it is nearer to @given than those so far. */
void guess_try(struct guess *guess, const char *given, const char *name);
