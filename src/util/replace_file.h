/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A file that is replaced as a whole: written beside its place, in a directory that others may
 * write, and then renamed.
 */

#include <stddef.h>

#include "util/base.h"

/**
 * Writes @size bytes to @path, an absolute one. No link at its end is followed, neither of the
 * directory nor of the file, and no file of others is opened. Readable by all. Returns 0 or -errno.
 */
int replace_file(const char *path, const char *text, size_t size);

/** Removes it. Returns 0, also if there is none; or -errno. */
int replace_file_remove(const char *path);
