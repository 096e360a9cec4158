// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/kind.h"

#include "core/follow.h"

/*
 * Helpers: a thread that works for a domain is boosted while a boosted vCPU of that domain waits
 * for it, for one run. Where its runs are short and regular it stays boosted while it sleeps, so
 * that the next one begins at once. Its tokens bound a run that does not end.
 */

/* One that is armed is looked at so often: no event tells that its runs became long or rare. */
#define ARMED_LOOK_NS (100 * NSEC_PER_MSEC)

static bool has_waited(const struct turn *t)
{
	if (t->facts.whereabouts != POLICY_WAITING)
		return false;
	return t->event == POLICY_EVENT_HELPER_WAITS ||
	       t->facts.waited_ns + PVS_FOLLOW_EARLY_NS >= PVS_FOLLOW_WAIT_NS;
}

static bool is_armed_ahead(const struct turn *t)
{
	return t->facts.whereabouts == POLICY_HALTED && t->facts.steady;
}

static struct kind_wish wish(const struct turn *t)
{
	if (t->facts.awaited && has_waited(t))
		return (struct kind_wish){true, POLICY_REASON_FOLLOWS};
	if (t->facts.awaited && is_armed_ahead(t))
		return (struct kind_wish){true, POLICY_REASON_WITHIN};
	return (struct kind_wish){false, POLICY_REASON_NOT_AWAITED};
}

/* The tracer's timer may not watch a wait that began before it was told to. */
static uint64_t expects_ns(const struct turn *t)
{
	uint64_t since_ns = t->now_ns - MIN(t->facts.waited_ns, t->now_ns);

	if (!t->facts.awaited || t->facts.whereabouts != POLICY_WAITING)
		return NSEC_NEVER;
	/* 0: it has waited, and there are no tokens */
	return t->now_ns + (pvs_follow_patience(since_ns, t->now_ns) ?: PVS_FOLLOW_WAIT_NS);
}

static enum policy_reason lower(struct turn *t)
{
	if (vcpu_is_awake(&t->facts))
		return POLICY_REASON_WITHIN;
	if (!t->facts.awaited || !is_armed_ahead(t))
		return POLICY_REASON_NOT_AWAITED;
	vcpu_enter(t, POLICY_ARMED, POLICY_REASON_WITHIN);
	return POLICY_REASON_WITHIN;
}

static uint64_t look_ns(const struct turn *t)
{
	return t->now_ns + ARMED_LOOK_NS;
}

const struct policy_kind kind_helper = {
        .wish = wish,
        .expects_ns = expects_ns,
        .lower = lower,
        .look_ns = look_ns,
};
