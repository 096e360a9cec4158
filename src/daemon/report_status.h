/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* What is told of the whole host: the JSON of `status`. */

#include "daemon/views.h"

struct cJSON;

struct cJSON *report_status(const struct views *views);
