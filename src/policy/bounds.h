/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The bounds of a boost, which hold whatever a policy wishes: holds, the domain's part of the
 * booster's time, tokens in all three buckets, the sheet, the limit on changes, threads that must
 * not wait. They are asked before a policy is, so a policy that always wishes a boost gets what its
 * vCPU's bucket gives. Questions only: nothing here changes a vCPU.
 */

#include "policy/vcpu.h"

/** What is in the way of a boost. */
struct obstacle {
	enum policy_reason reason; /* WITHIN: nothing is */
	uint64_t until_ns;         /* as far as can be known; NSEC_NEVER: an event will tell */
};

/** Not boosted: what is in the way, whatever the vCPU does. */
struct obstacle bounds_obstacle(const struct turn *t);

/** Not boosted, and nothing was in the way: it has tokens for a boost that begins now. */
bool bounds_has_tokens(const struct turn *t);

/**
 * Not boosted: what is in the way of a pulse, which others pay for with @tokens_ns; WITHIN:
 * nothing. What the vCPU itself owes is not, nor are waits that it was given for its own boosts.
 */
enum policy_reason bounds_of_pulse(const struct turn *t, int64_t tokens_ns);

/**
 * Boosted, and nothing forbids that: why the boost must end now. WITHIN: the vCPU has tokens, and
 * is in the way of no thread that must not wait.
 */
enum policy_reason bounds_end(const struct turn *t);

/** Boosted: when that may have to end, if no event tells; NSEC_NEVER. */
uint64_t bounds_look_ns(const struct turn *t);
