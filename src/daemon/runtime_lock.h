/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* One daemon per runtime directory. */

/**
 * Takes the lock RUNTIME_DIR/lock, for as long as the process lives.
 * Returns 0; -EWOULDBLOCK when another pvschedd has it; -errno.
 */
int runtime_lock(const char *runtime_dir);
