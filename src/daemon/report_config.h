/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* What `config` answers: the configuration in force, with the source of each value. */

#include "daemon/views.h"

struct cJSON;

/** NULL: out of memory. */
struct cJSON *report_config(const struct views *views);
