/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* What the command "avoid" asks for, and what a report says of it. */

#include "daemon/request_parts.h"

/** Sets which vCPUs the guest is told to avoid. Returns 0, or -EINVAL. */
int avoid_request(struct requests *requests, const struct inventory_domain *domain,
                  const struct control_request *request, struct answer *answer);
