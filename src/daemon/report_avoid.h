/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "daemon/views.h"

struct cJSON;

/** Adds "avoid": which vCPUs the guest is told to avoid, what decides that, and why. */
void report_avoid(const struct views *views, const struct inventory_domain *domain,
                  struct cJSON *object);
