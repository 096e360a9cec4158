/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Requests about trials. */

#include "daemon/request_parts.h"

int trial_start(struct requests *requests, const struct inventory_domain *domain,
                const struct control_request *request, struct answer *answer);

/** @name_or_uuid: of a domain that runs, or of one that has ended since. */
int trial_poll(struct requests *requests, const char *name_or_uuid, struct answer *answer);

int trial_stop(struct requests *requests, const struct inventory_domain *domain,
               struct answer *answer);
