/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* What `policies` answers: the policies that can be chosen, and which domains each boosts. */

#include "daemon/views.h"

struct cJSON;

struct cJSON *report_kinds(const struct views *views);
