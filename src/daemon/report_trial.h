/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The JSON of a trial: its course, what was measured, and what follows. */

#include "daemon/trials.h"
#include "daemon/views.h"

struct cJSON;

/** NULL when out of memory. */
struct cJSON *report_trial(const struct views *views, const struct trial_view *trial);
