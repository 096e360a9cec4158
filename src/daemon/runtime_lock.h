/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* One daemon per runtime directory. */

#include <sys/types.h>

/**
 * Takes the lock RUNTIME_DIR/lock, for as long as the process lives. The file has its pid. One that
 * is still locked although that process is gone is waited for, for a second.
 * Returns 0; -EWOULDBLOCK when another pvschedd has it: *holder, 0 if it is not known; -errno.
 */
int runtime_lock(const char *runtime_dir, pid_t *holder);
