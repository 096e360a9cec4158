/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* What keeps single domains from what their profile wants: their part of `doctor`. */

#include "daemon/views.h"

struct cJSON;

/** Adds the checks of domains, and that of the RT budgets that they need. */
void report_doctor_domains(const struct views *views, struct cJSON *array);
