// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/unboosted.h"

#include "policy/bounds.h"
#include "policy/interrupt.h"
#include "policy/kind.h"
#include "policy/pulse.h"
#include "policy/request.h"

/*
 * A halt that is over before the booster has looked is too short to arm in. A vCPU that has no
 * others would wake the booster thousands of times a second for nothing: its halts are reported
 * ever less often.
 */
#define SHORT_HALT_NS        (1 * NSEC_PER_MSEC)
#define SHORT_HALT_SHIFT_MAX 4

/*
 * Thundering herd: back off exponentially (at most 256 ms) when a shared bucket refuses a vCPU.
 * Otherwise a thousand vCPUs that look when it is full take so much real time of the booster, which
 * is charged to the CPUs' buckets, too, that none is boosted.
 */
#define CAP_RETRY_NS        (2 * NSEC_PER_MSEC)
#define CAP_RETRY_SHIFT_MAX 7

/*
 * The vCPUs of a domain whose bucket is short are looked at when it is full again, all at one time,
 * and the first one has its tokens. A guest that says how urgent each is has them looked at in that
 * order, so far apart that one look is over when the next comes: a tenth of what a change takes.
 */
#define PRIORITY_MAX       99
#define PRIORITY_STEP_PART 10

/*
 * A guest may be urgent when its vCPU is preempted, and something else, or silent, when the booster
 * has come to look. So it could wake the booster tens of thousands of times a second, in vain. Each
 * time that it has made so many such calls it is not heard for a while.
 */
#define VAIN_CALLS_MAX 2
#define DEAF_NS        (2 * NSEC_PER_MSEC)

/* This is the look that was planned for when its guest would be urgent. */
static bool is_expected_look(const struct turn *t)
{
	return t->event == POLICY_EVENT_LOOK && t->v->view.next_ns == t->v->expected_look_ns &&
	       t->now_ns >= t->v->expected_look_ns;
}

static void boost(struct turn *t, enum policy_reason why)
{
	struct policy_vcpu *v = t->v;
	bool expected = why == POLICY_REASON_REQUESTED && is_expected_look(t);

	vcpu_charge_change(t);
	/* tokens that it kept belong to the boost before: steady demand is counted from that */
	if (v->unboosted.tokens != TOKENS_KEPT)
		v->burst_from_ns = t->now_ns;
	v->boost = (struct vcpu_boost){
	        .why = why,
	        .planned_look_ns = expected ? v->expected_look_ns : 0,
	        .urgent_from_ns = request_urgent_from_ns(t),
	        .interrupt_run_ns =
	                why == POLICY_REASON_INTERRUPT ? interrupt_run_ns(&t->facts) : 0,
	};
	v->unboosted = (struct vcpu_unboosted){.tokens = TOKENS_TO_EARN, .reports = REPORTS_ALL};
	t->decision->action = POLICY_BOOST;
	t->decision->reason = why;
	vcpu_look_at(t, NSEC_NEVER);
}

/* Counts a call that led to no boost. True when there are too many. */
static bool count_in_vain(struct vcpu_unboosted *u)
{
	if (++u->vain_calls < VAIN_CALLS_MAX)
		return false;
	u->vain_calls = 0;
	return true;
}

static enum reports_event reports_event(struct turn *t)
{
	struct vcpu_unboosted *u = &t->v->unboosted;

	if (t->event == POLICY_EVENT_HALTED)
		return REPORTS_ON_HALT;
	if (t->event == POLICY_EVENT_INTERRUPT)
		return REPORTS_ON_CALL;
	if (t->event == POLICY_EVENT_URGENT || t->event == POLICY_EVENT_HELPER_WAITS)
		return count_in_vain(u) ? REPORTS_ON_CALL_IN_VAIN : REPORTS_ON_CALL;
	/* its guest puts off when it will be urgent each time that the look for that comes */
	if (is_expected_look(t) && count_in_vain(u))
		return REPORTS_ON_LOOK_IN_VAIN;
	return REPORTS_ON_LOOK;
}

static uint64_t after_short_halt(struct turn *t, enum policy_reason reason)
{
	struct vcpu_unboosted *u = &t->v->unboosted;
	unsigned int shift = u->short_halts;

	if (reason == POLICY_REASON_NO_REQUEST)
		shift = SHORT_HALT_SHIFT_MAX;
	u->short_halts = MIN(u->short_halts + 1, (unsigned int)SHORT_HALT_SHIFT_MAX);
	return t->now_ns + (SHORT_HALT_NS << shift);
}

/*
 * Nothing prevents a boost but that it is awake, or that its guest makes no requests: an event will
 * tell. Returns when to look besides. While reports are off a look is planned, which stays so.
 */
static uint64_t wait_for_event(struct turn *t, enum policy_reason reason)
{
	struct policy_vcpu *v = t->v;
	enum reports reports = reports_next(v->unboosted.reports, reports_event(t));
	uint64_t at_ns = v->view.next_ns;

	v->unboosted.reports = reports;
	t->decision->report_halt = reports_halts(reports);
	if (t->event == POLICY_EVENT_HALTED)
		return after_short_halt(t, reason);
	if (reports_halts(reports)) {
		at_ns = t->kind->expects_ns(t);
		v->expected_look_ns = at_ns;
	}
	if (reports_calls(reports))
		return at_ns;
	if (t->event == POLICY_EVENT_INTERRUPT)
		return v->view.next_ns;
	v->expected_look_ns = NSEC_NEVER;
	return t->now_ns + DEAF_NS;
}

/* A shared bucket is not full. The first time, the look comes when that will be. */
static uint64_t wait_for_cap(struct turn *t, struct obstacle o)
{
	struct vcpu_unboosted *u = &t->v->unboosted;
	unsigned int before = u->turned_away;

	u->turned_away = MIN(before + 1, (unsigned int)CAP_RETRY_SHIFT_MAX + 1);
	if (before)
		o.until_ns = MAX(o.until_ns, t->now_ns + (CAP_RETRY_NS << (before - 1)));
	/* of one domain, those that wait for its bucket come in the order of their guest */
	if (o.reason == POLICY_REASON_DOMAIN_CAP && t->facts.priority)
		o.until_ns += (PRIORITY_MAX - t->facts.priority) * vcpu_act_ns(t->policy) /
		              PRIORITY_STEP_PART;
	return o.until_ns;
}

static void wait_for(struct turn *t, struct obstacle o)
{
	bool for_event = kind_is_waiting(o.reason);
	bool for_cap = o.reason == POLICY_REASON_DOMAIN_CAP || o.reason == POLICY_REASON_CPU_CAP ||
	               o.reason == POLICY_REASON_CPU_REAL_TIME || o.reason == POLICY_REASON_HELPER;
	bool unwanted = o.reason == POLICY_REASON_PROFILE || o.reason == POLICY_REASON_AUTO;
	bool owes = o.reason == POLICY_REASON_BUDGET || o.reason == POLICY_REASON_BACKOFF;

	t->decision->reason = o.reason;
	if (for_event)
		o.until_ns = wait_for_event(t, o.reason);
	else if (for_cap)
		o.until_ns = wait_for_cap(t, o);
	/* where the profile or the policy does not boost, no boost was wanted */
	if (!for_event && !unwanted)
		vcpu_deny(t->v, o.reason);
	vcpu_enter(t, owes ? POLICY_THROTTLED : POLICY_UNBOOSTED, o.reason);
	vcpu_look_at(t, o.until_ns);
}

/* Another vCPU waits for it. If it cannot be boosted for that, nothing about it has changed. */
static void awaited(struct turn *t)
{
	enum policy_reason reason = pulse_obstacle(t);

	if (reason == POLICY_REASON_WITHIN) {
		pulse_decide(t);
		return;
	}
	t->decision->reason = reason;
	t->decision->report_halt =
	        kind_is_waiting(t->v->view.reason) && reports_halts(t->v->unboosted.reports);
	if (reason != POLICY_REASON_AWAKE)
		vcpu_deny(t->v, reason);
}

void unboosted_step(struct turn *t)
{
	struct obstacle o;
	struct kind_wish wish;

	if (t->event == POLICY_EVENT_AWAITED) {
		awaited(t);
		return;
	}
	o = bounds_obstacle(t);

	if (o.reason != POLICY_REASON_WITHIN) {
		wait_for(t, o);
		return;
	}
	wish = t->kind->wish(t);
	if (wish.boosts && bounds_has_tokens(t))
		boost(t, wish.reason);
	else if (wish.boosts)
		wait_for(t, (struct obstacle){POLICY_REASON_AWAKE, NSEC_NEVER});
	else
		wait_for(t, (struct obstacle){wish.reason, NSEC_NEVER});
}
