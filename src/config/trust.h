/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Who may change a configuration can have any domain boosted. */

#include <sys/stat.h>

#include "config/complaint.h"

/**
 * Checks that no user but root and the one that runs this, and no group but theirs, may change
 * @what ("file", "directory"), of which @st is. Returns 0; -EPERM with a message that says what to
 * do.
 */
int config_check_trust(const struct stat *st, const char *what, const struct complaint *c);
