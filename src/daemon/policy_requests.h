/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * `policy set`, `policy assign` and `policy unset`. A domain that does not run is known by its
 * uuid; by its name only if a policy was set for it before. pvschedctl asks libvirt for the uuid of
 * others.
 */

#include "daemon/request_parts.h"

/** Sets a policy, or with control_request::dry_run says what it would do. */
int policy_set(struct requests *requests, struct inventory_domain *d,
               const struct control_request *request, struct answer *answer);

/** Assigns a policy of the registry, or, with the word "guest", none any more. */
int policy_assign(struct requests *requests, struct inventory_domain *d,
                  const struct control_request *request, struct answer *answer);

int policy_unset(struct requests *requests, struct inventory_domain *d,
                 const struct control_request *request, struct answer *answer);

/** The same for a domain that does not run; -ENOENT: it is not known either. */
int policy_set_absent(struct requests *requests, const struct control_request *request,
                      struct answer *answer);
int policy_assign_absent(struct requests *requests, const struct control_request *request,
                         struct answer *answer);
int policy_unset_absent(struct requests *requests, const struct control_request *request,
                        struct answer *answer);
