/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* What `policy list` answers: every policy set by command, and releases. */

#include "daemon/views.h"

struct cJSON;

/** NULL: out of memory. */
struct cJSON *report_policies(const struct views *views);
