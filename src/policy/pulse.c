// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/pulse.h"

#include "core/account.h"
#include "policy/bounds.h"
#include "policy/kind.h"

/*
 * An interrupt is served in some ten microseconds, and a lock held for less. A longer pulse would
 * serve the work that was interrupted.
 */
#define PULSE_NS (100 * NSEC_PER_USEC)

/* A pulse whose vCPU has not run by then waits behind other real-time threads. */
#define PULSE_WAIT_NS NSEC_PER_MSEC

/* The tracer tells of the end of a pulse. If it did not, this look does. */
#define PULSE_LOOK_NS (50 * NSEC_PER_USEC)

/* A hold: six units beside one other thread, one beside more than ten. */
#define HOLD_UNIT_NS   NSEC_PER_MSEC
#define HOLD_UNITS_MAX 6

enum policy_reason pulse_obstacle(const struct turn *t)
{
	if (!t->offer || t->facts.whereabouts != POLICY_WAITING)
		return POLICY_REASON_AWAKE;
	return bounds_of_pulse(t, t->offer->tokens_ns);
}

void pulse_decide(struct turn *t)
{
	struct policy_vcpu *v = t->v;

	vcpu_charge_change(t);
	v->boost = (struct vcpu_boost){
	        .why = POLICY_REASON_AWAITED,
	        .pulse_ns = MIN(PULSE_NS, (uint64_t)t->offer->tokens_ns),
	        .before = v->unboosted,
	        .before_state = v->view.state,
	        .before_reason = v->view.reason,
	        .before_look_ns = v->view.next_ns,
	};
	t->decision->action = POLICY_BOOST;
	t->decision->reason = POLICY_REASON_AWAITED;
	t->decision->payer = t->offer->payer;
	t->decision->pulse_ns = v->boost.pulse_ns;
	vcpu_look_at(t, NSEC_NEVER);
}

void pulse_begin(struct turn *t)
{
	struct policy_vcpu *v = t->v;

	v->view.pulses_total++;
	vcpu_boost(t);
	v->boosted.pulse_until_ns = t->now_ns + PULSE_WAIT_NS;
	pulse_plan(t);
}

void pulse_plan(struct turn *t)
{
	const struct vcpu_boosted *b = &t->v->boosted;
	uint64_t at_ns = b->pulse_until_ns;

	if (t->facts.whereabouts == POLICY_RUNNING)
		at_ns = t->now_ns + PULSE_LOOK_NS + b->pulse_ns - MIN(t->facts.ran_ns, b->pulse_ns);
	vcpu_look_at(t, at_ns);
}

/* What the tracer reports of a boost that goes on: no end of a pulse. */
static bool is_a_look(enum policy_event event)
{
	return event == POLICY_EVENT_LOOK || event == POLICY_EVENT_RESCAN ||
	       event == POLICY_EVENT_URGENT || event == POLICY_EVENT_INTERRUPT ||
	       event == POLICY_EVENT_AWAITED || event == POLICY_EVENT_SOFTIRQD ||
	       event == POLICY_EVENT_HELPER;
}

bool pulse_is_over(struct turn *t, enum policy_reason *ret)
{
	const struct vcpu_boosted *b = &t->v->boosted;
	bool runs = t->facts.whereabouts == POLICY_RUNNING;

	*ret = vcpu_forbidden(t);
	if (*ret != POLICY_REASON_WITHIN)
		return true;
	/* its own tokens do not count: the tracer tells when those of the payer end */
	t->facts.tokens_ns = MAX(t->facts.tokens_ns, INT64_C(1));
	*ret = bounds_end(t);
	if (*ret != POLICY_REASON_WITHIN)
		return true;
	*ret = POLICY_REASON_AWAKE;
	if (!is_a_look(t->event) || !vcpu_is_awake(&t->facts))
		return true;
	return runs ? t->facts.ran_ns >= b->pulse_ns : t->now_ns >= b->pulse_until_ns;
}

void pulse_resume(struct turn *t)
{
	struct policy_vcpu *v = t->v;
	bool waits = kind_is_waiting(v->boost.before_reason);

	v->unboosted = v->boost.before;
	vcpu_enter(t, v->boost.before_state, v->boost.before_reason);
	if (t->decision)
		t->decision->report_halt = waits && reports_halts(v->unboosted.reports);
	/* a look that fell due meanwhile is made now */
	vcpu_look_at(t, v->boost.before_look_ns == NSEC_NEVER
	                        ? NSEC_NEVER
	                        : MAX(v->boost.before_look_ns, t->now_ns));
}

static uint64_t hold_units(uint32_t permille)
{
	uint64_t threads = permille ? (1000 + permille / 2) / permille : 2;

	threads = MIN(MAX(threads, UINT64_C(2)), (uint64_t)HOLD_UNITS_MAX * 2);
	return HOLD_UNITS_MAX - (threads - 2) / 2;
}

bool pulse_hold(struct turn *t, uint32_t entitled_permille, bool reversed)
{
	struct policy_vcpu *v = t->v;
	uint64_t hold_ns = hold_units(entitled_permille) * HOLD_UNIT_NS;

	if (v->hold_began_ns && t->now_ns < v->hold_began_ns + PULSE_HOLD_EVERY_NS)
		return false;
	v->hold_began_ns = t->now_ns;
	v->spin_until_ns = MAX(v->spin_until_ns, t->now_ns + (reversed ? hold_ns / 2 : hold_ns));
	v->view.holds_total++;
	return true;
}
