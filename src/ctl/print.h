/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdint.h>
#include <stdio.h>

/** Prints a text from outside, escaped. Nothing when out of memory. */
void print_escaped(FILE *out, const char *text);

/**
 * "NAME: TEXT" and a newline, both escaped, in lines of at most @width characters where blanks
 * allow it. It begins in column @indent, and so do its further lines.
 */
void print_wrapped(FILE *out, const char *name, const char *text, size_t indent, size_t width);

/** "20.5 %"; "-" for a negative share. */
void print_share(FILE *out, int64_t permille);

/** "1.5 ms"; "-" for a negative time. */
void print_duration(FILE *out, int64_t ns);
