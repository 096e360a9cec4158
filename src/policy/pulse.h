/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What becomes of vCPUs that wait for each other, once it is known which (help.h): the pulse of the
 * awaited one, and the hold of one that spins.
 */

#include "policy/vcpu.h"

/** Unboosted, on AWAITED: what is in the way of a pulse. WITHIN: nothing is. */
enum policy_reason pulse_obstacle(const struct turn *t);

/** Decides the pulse. */
void pulse_decide(struct turn *t);

/** Is the boost a pulse? */
static inline bool pulse_goes_on(const struct policy_vcpu *v)
{
	return v->view.state == POLICY_ARMED && v->boosted.pulse_ns;
}

/** The pulse has begun. */
void pulse_begin(struct turn *t);

/** A step in a pulse: true when it is over, and the reason in *ret. */
bool pulse_is_over(struct turn *t, enum policy_reason *ret);

/** What the vCPU was before the pulse, it is again: after vcpu_unboost(). */
void pulse_resume(struct turn *t);

/** Plans the look at which the pulse is over if no event tells. */
void pulse_plan(struct turn *t);

/**
 * The vCPU spins, and its profile holds it for that: it is not boosted for a while, of a few
 * milliseconds, which is shorter the more threads compete for its CPU, as @entitled_permille, its
 * fair share (0: unknown), tells. It keeps its tokens. At most one
 * hold begins in PULSE_HOLD_EVERY_NS. @reversed: the awaited vCPU waited for this one a moment ago;
 * then half as long, since each would hold the other. Returns false if none began.
 */
bool pulse_hold(struct turn *t, uint32_t entitled_permille, bool reversed);

#define PULSE_HOLD_EVERY_NS (6 * NSEC_PER_MSEC)

/** Within this time after it was helped by a vCPU, waiting for that one is the reverse of it. */
#define PULSE_REVERSE_NS (600 * NSEC_PER_USEC)
