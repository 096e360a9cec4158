/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* What can be seen of the cgroups of vCPUs, in one sentence for `status` and `doctor`. */

#include "daemon/views.h"

/** Returns false where a quota could be missed or no budget granted, and what to do in *fix. */
bool report_cgroups(const struct views *views, const char **fix, char *text, size_t size);
