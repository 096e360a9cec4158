// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/kind.h"

#include "policy/request.h"

/*
 * The policy `urgent-only`: the guest says when its vCPU is urgent, and nothing else boosts it. No
 * vCPU is armed. One that was preempted while it was urgent is boosted then, since one that runs
 * needs no boost. It is unboosted when its guest says something else, or nothing, or has gone idle.
 */

static struct kind_wish wish(const struct turn *t)
{
	if (vcpu_is_commanded(t))
		return (struct kind_wish){true, POLICY_REASON_COMMAND};
	if (request_urgent_waits(t))
		return (struct kind_wish){true, POLICY_REASON_REQUESTED};
	return (struct kind_wish){false, POLICY_REASON_NOT_URGENT};
}

static uint64_t expects_ns(const struct turn *t)
{
	(void)t;
	return NSEC_NEVER;
}

static enum policy_reason lower(struct turn *t)
{
	bool is_urgent =
	        t->facts.urgency == PVSCHED_URGENCY_URGENT && t->facts.whereabouts != POLICY_HALTED;

	if (vcpu_is_commanded(t) || is_urgent)
		return POLICY_REASON_WITHIN;
	return POLICY_REASON_NOT_URGENT;
}

static uint64_t look_ns(const struct turn *t)
{
	/* it halted before the tracer was told to report that */
	if (t->facts.whereabouts == POLICY_HALTED && !vcpu_is_commanded(t))
		return t->now_ns;
	/* no event tells that a request has lapsed */
	return t->now_ns + PVSCHED_REQUEST_LEASE_NS;
}

const struct policy_kind kind_urgent_only = {
        .wish = wish,
        .expects_ns = expects_ns,
        .lower = lower,
        .look_ns = look_ns,
};
