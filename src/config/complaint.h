/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Messages about a file of the configuration. */

#include "util/base.h"

/** Where a message about a file goes. */
struct complaint {
	char *buffer;
	size_t size;
	const char *path; /* the file */
};

/** Writes "PATH: " and the message. Returns @r. */
int config_complain(const struct complaint *c, int r, const char *format, ...) PRINTF_FORMAT(3, 4);
