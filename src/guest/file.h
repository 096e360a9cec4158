/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Writing to a file whose descriptor is shared with somebody who may do anything to it. */

#include "util/base.h"

/**
 * Writes @size bytes at @offset, and nowhere else: pwrite() would append where the other side has
 * set O_APPEND, and so fill the host's memory. May wait for the other side's own long calls.
 * Returns 0; -ENOSPC; -EPERM: it appends, and this kernel cannot do otherwise; -errno.
 */
int guest_file_write(int fd, const void *buffer, size_t size, uint64_t offset);
