/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* What drawings share: the file, and text from outside in it. */

#include <stdio.h>

/**
 * Creates or empties the file @path. No link is followed: root may write to a folder that others
 * can write to, too. Returns NULL with errno set.
 */
FILE *svg_open(const char *path);

/** Closes it. Returns 0, or -errno if not all of it was written. */
int svg_close(FILE *out);

/** Text from outside: escaped twice, and without the two characters XML never has. */
void svg_text(const char *text, FILE *out);
