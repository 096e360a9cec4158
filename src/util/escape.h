/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Makes text from outside safe for a terminal or the journal: names of domains, programs, files. */

#include "util/base.h"

/**
 * Length of the UTF-8 sequence that begins at @text and lies within @size bytes: 1..4, or 0 when it
 * is not valid (overlong, a surrogate, beyond U+10FFFF, cut off).
 */
size_t utf8_sequence(const char *text, size_t size);

/** True if all @size bytes at @text are valid UTF-8. */
bool utf8_valid(const char *text, size_t size);

/** Number of characters (code points) of a valid UTF-8 string: about the columns it takes. */
size_t utf8_length(const char *text);

/**
 * Copies @text to @out, as much as fits, always terminated. Each byte of a control character (C0,
 * DEL, C1), of a character that changes lines or the direction of writing, or of invalid UTF-8
 * becomes \xNN. A backslash stays as it is. Returns the length of the result in bytes.
 * ESCAPE_SIZE(n) bytes hold any text of n bytes.
 */
size_t escape_text(const char *text, char *out, size_t out_size);

#define ESCAPE_SIZE(n) (4 * (n) + 1)
