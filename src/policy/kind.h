/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * One of the policies that can be chosen (registry.h): what it wishes for a vCPU. It neither boosts
 * nor unboosts anything itself, and it is asked within the bounds of bounds.h alone.
 */

#include "policy/registry.h"
#include "policy/vcpu.h"

/** What a policy wishes for a vCPU that is not boosted, and that nothing keeps from it. */
struct kind_wish {
	bool boosts;
	enum policy_reason reason; /* why it is to be boosted, or why not */
};

struct policy_kind {
	/** Not boosted, and within the bounds. */
	struct kind_wish (*wish)(const struct turn *t);
	/** Not boosted, since it did not wish that: when to ask again, if no event comes. */
	uint64_t (*expects_ns)(const struct turn *t);
	/** Boosted, and within the bounds: why to give the boost back; WITHIN: it goes on. */
	enum policy_reason (*lower)(struct turn *t);
	/** Boosted: when to ask again, if no event comes. */
	uint64_t (*look_ns)(const struct turn *t);
};

/** The rules of registry[], in its order. */
extern const struct policy_kind *const policy_kinds[];
extern const uint32_t policy_kinds_n;

extern const struct policy_kind kind_pvschedd, kind_urgent_only, kind_awaited_only;

/** Of helpers that follow their vCPUs: no domain chooses it. It is told KIND_HELPER_EVENTS. */
extern const struct policy_kind kind_helper;
#define KIND_HELPER_EVENTS REGISTRY_HALTED_BOOSTED

/** Whether a vCPU waits for this, and not for tokens or the end of a hold. */
static inline bool kind_is_waiting(enum policy_reason reason)
{
	return reason == POLICY_REASON_AWAKE || reason == POLICY_REASON_ORDINARY ||
	       reason == POLICY_REASON_NO_REQUEST || reason == POLICY_REASON_NOT_URGENT ||
	       reason == POLICY_REASON_NOT_AWAITED;
}
