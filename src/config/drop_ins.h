/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Private to config/: which files there are beside the main one, and how to complain of a file.
 */

#include "util/base.h"

/** Where a message about a file goes. */
struct complaint {
	char *buffer;
	size_t size;
	const char *path; /* the file */
};

/** Writes "PATH: " and the message. Returns @r. */
int config_complain(const struct complaint *c, int r, const char *format, ...) PRINTF_FORMAT(3, 4);

struct drop_ins {
	char **paths; /* in the order in which they are to be read */
	size_t n;
};

#define DROP_INS_NULL ((struct drop_ins){0})

/**
 * Lists the drop-ins of the configuration @path; none is an ordinary outcome.
 * Returns 0; -errno with a message: the directory cannot be read, or is not to be trusted (-EPERM),
 * or has a name that cannot be shown (-EINVAL), or too many of them (-E2BIG).
 */
int drop_ins_list(struct drop_ins *ret, const char *path, char *error, size_t error_size);

/** For CLEANUP(). */
void drop_ins_finish(struct drop_ins *drop_ins);
