/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Private to config/: lists the drop-ins of the main file.
 */

#include "util/base.h"

struct drop_ins {
	char **paths; /* in reading order */
	size_t n;
};

#define DROP_INS_NULL ((struct drop_ins){0})

/**
 * Lists the drop-ins of the configuration @path; there may be none.
 * Returns 0, or -errno and a message: the directory cannot be read, is not trusted (-EPERM), has a
 * name that cannot be shown (-EINVAL), or has too many drop-ins (-E2BIG).
 */
int drop_ins_list(struct drop_ins *ret, const char *path, char *error, size_t error_size);

/** For CLEANUP(). */
void drop_ins_finish(struct drop_ins *drop_ins);
