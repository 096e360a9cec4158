/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* A thread that does for one page what a lane of the reader does: for benchmarks. */

#include "reader/board.h"

/**
 * Serves asks for pages in lane 0, which are all in @file, for the rest of the process.
 * Returns 0, or -errno.
 */
int copier_start(struct board *board, const struct guest_page_file *file);
