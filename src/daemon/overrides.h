/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What commands say of single domains, until the daemon ends: a policy set, maybe for a time, and
 * `release`. Policies that outlive the daemon are state.h's.
 */

#include <systemd/sd-event.h>

#include "daemon/inventory.h"
#include "util/base.h"

struct overrides;

typedef void overrides_ended_fn(void *userdata, const struct inventory_domain *domain);

/** @ended is told of each policy whose time is over. Returns 0 and *ret, or -ENOMEM. */
int overrides_new(struct overrides **ret, sd_event *event, overrides_ended_fn *ended,
                  void *userdata);

/** Takes NULL; returns NULL. */
struct overrides *overrides_free(struct overrides *overrides);

/**
 * Sets a policy and ends a release. @for_ns 0: until the daemon ends.
 * Returns 0; -errno: its end could not be planned, and no policy is set.
 */
int overrides_set(struct overrides *overrides, const struct inventory_domain *domain,
                  const char *profile, uint64_t for_ns);

void overrides_set_released(struct overrides *overrides, const struct inventory_domain *domain,
                            bool released);

/** It is gone: nothing holds for the next domain of its slot. */
void overrides_forget(struct overrides *overrides, const struct inventory_domain *domain);

/** The profile set by command; "": none. */
const char *overrides_profile(const struct overrides *overrides,
                              const struct inventory_domain *domain);

/** When that ends; 0: with the daemon, or none is set. */
uint64_t overrides_until_ns(const struct overrides *overrides,
                            const struct inventory_domain *domain);

bool overrides_released(const struct overrides *overrides, const struct inventory_domain *domain);
