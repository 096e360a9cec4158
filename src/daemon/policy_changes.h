/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What each vCPU did before its current policy. Its counters are copied when the profile of its
 * domain changes, by command, by time, by the configuration or by its metadata. What admission
 * leaves of the share is no change of policy, and neither is a hold, a trial, nor another burst or
 * share that was learned. About 1 KiB for each vCPU that is traced.
 */

#include "boost/accounts.h"
#include "daemon/inventory.h"
#include "daemon/windows.h"
#include "policy/plan.h"
#include "util/base.h"

struct policy_changes;

/** The time of one policy, which is over. */
struct policy_before {
	char profile[PROFILE_NAME_MAX];
	uint64_t until_ns;
	struct window_view window;
};

/** @accounts must stay. Returns NULL when out of memory. */
struct policy_changes *policy_changes_new(const struct accounts *accounts);

/** Takes NULL; returns NULL. */
struct policy_changes *policy_changes_free(struct policy_changes *changes);

/**
 * A policy that held for less than this, as when a command follows another one, says nothing of
 * what a vCPU was like: what was before stays.
 */
#define POLICY_CHANGES_LEAST_NS NSEC_PER_SEC

/**
 * Compares with the last call. @domains is the plan's, in the order of the inventory's domains.
 * Where memory is out, a vCPU has no window "before".
 */
void policy_changes_follow(struct policy_changes *changes, const struct inventory *inventory,
                           const struct plan_domain *domains, uint64_t now_ns);

/**
 * The policy before the current one; NULL: the vCPU has had no other since it is traced, or none
 * for a second.
 */
const struct policy_before *policy_changes_before(const struct policy_changes *changes,
                                                  const struct inventory_vcpu *vcpu);
