/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* What stands in the way, all at once, each with what mends it: the JSON of `doctor`. */

#include "daemon/views.h"

struct cJSON;

struct cJSON *report_doctor(const struct views *views);

/** Adds "checks", the first ones that are not ok, and "wrong", how many these are: `status`. */
void report_wrong(const struct views *views, struct cJSON *object);
