/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Writes to a file whose descriptor is shared with a process that is not trusted. */

#include "util/base.h"

/**
 * Writes @size bytes at @offset, and nowhere else: pwrite() would append where the other side has
 * set O_APPEND, and so fill the host's memory. May wait for long calls of the other side.
 * Returns 0; -ENOSPC; -EPERM: it would append, and this kernel cannot prevent that; -errno.
 */
int guest_file_write(int fd, const void *buffer, size_t size, uint64_t offset);
