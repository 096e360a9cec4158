/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What commands say of single domains, until the daemon ends: a policy set, maybe for a time, and
 * `release`. Policies that outlive the daemon are state.h's. A policy stays while its domain is
 * shut off, since the uuid tells that it is the same one; a release ends with the domain.
 */

#include <systemd/sd-event.h>

#include "daemon/inventory.h"
#include "daemon/policies.h"
#include "util/base.h"

struct overrides;

typedef void overrides_ended_fn(void *userdata, const struct policy_entry *policy);

/** @ended is told of each policy whose time is over. Returns 0 and *ret, or -errno. */
int overrides_new(struct overrides **ret, sd_event *event, overrides_ended_fn *ended,
                  void *userdata);

/** Takes NULL; returns NULL. */
struct overrides *overrides_free(struct overrides *overrides);

/**
 * Sets a profile; of @policy uuid, name, profile and figures count. @for_ns 0: until the daemon
 * ends. Returns 0; -ENOSPC: there are too many; -errno: its end could not be planned. Then the last
 * one stays.
 */
int overrides_set(struct overrides *overrides, const struct policy_entry *policy, uint64_t for_ns);

/** Takes away all that is set. Returns whether there was something. */
bool overrides_unset(struct overrides *overrides, const char *uuid);

/** Takes away the profile alone. */
void overrides_unset_profile(struct overrides *overrides, const char *uuid);

/**
 * Assigns a policy of the registry, until the daemon ends; of @policy uuid, name and policy count.
 * Returns 0, -ENOSPC, -ENOMEM.
 */
int overrides_assign(struct overrides *overrides, const struct policy_entry *policy);

/** Returns whether one was assigned. */
bool overrides_unassign(struct overrides *overrides, const char *uuid);

void overrides_set_released(struct overrides *overrides, const struct inventory_domain *domain,
                            bool released);

/** It is gone: nothing holds for the next domain of its slot, nor by a uuid that was not its own.
 */
void overrides_forget(struct overrides *overrides, const struct inventory_domain *domain);

/** The policy set by command; NULL: none. */
const struct policy_entry *overrides_policy(const struct overrides *overrides,
                                            const struct inventory_domain *domain);

bool overrides_released(const struct overrides *overrides, const struct inventory_domain *domain);

/** All policies that are set. */
const struct policies *overrides_all(const struct overrides *overrides);

/** For how long a policy has been set, and will be; *left_s 0: until the daemon ends. */
void overrides_times(const struct overrides *overrides, const struct policy_entry *policy,
                     uint64_t *age_s, uint64_t *left_s);
