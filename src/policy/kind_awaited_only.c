// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/kind.h"

/*
 * The policy `awaited-only`: no vCPU is armed, and none is boosted for what its guest says. What
 * boosts one is another vCPU of its domain that waits for it, whatever its policy (pulse.h).
 */

static struct kind_wish wish(const struct turn *t)
{
	if (vcpu_is_commanded(t))
		return (struct kind_wish){true, POLICY_REASON_COMMAND};
	return (struct kind_wish){false, POLICY_REASON_NOT_AWAITED};
}

static uint64_t expects_ns(const struct turn *t)
{
	(void)t;
	return NSEC_NEVER;
}

static enum policy_reason lower(struct turn *t)
{
	return vcpu_is_commanded(t) ? POLICY_REASON_WITHIN : POLICY_REASON_NOT_AWAITED;
}

static uint64_t look_ns(const struct turn *t)
{
	return vcpu_is_commanded(t) ? NSEC_NEVER : t->now_ns;
}

const struct policy_kind kind_awaited_only = {
        .wish = wish,
        .expects_ns = expects_ns,
        .lower = lower,
        .look_ns = look_ns,
};
