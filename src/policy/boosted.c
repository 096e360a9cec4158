// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/boosted.h"

#include "policy/bounds.h"
#include "policy/kind.h"
#include "policy/pulse.h"
#include "policy/push.h"
#include "policy/request.h"

/* A bucket that is empty before it could have refilled so many times: steady demand, no burst. */
#define STEADY_REFILLS 4

/* The longest back-off, as a power of two of the time to refill: 20 ms for the latency profile. */
#define BACKOFF_SHIFT_MAX 3

/*
 * As a fair thread, a vCPU that spins can yield to another vCPU of its guest. It is unboosted for
 * a slice of the fair class or two: after that the lock, or what else it waited for, is likely to
 * be free. Twice as long each time that it spins again within SPIN_AGAIN_NS of that.
 */
#define SPIN_HOLD_NS   (2 * NSEC_PER_MSEC)
#define SPIN_AGAIN_NS  (100 * NSEC_PER_MSEC)
#define SPIN_SHIFT_MAX 3

static void unboost(struct turn *t, enum boost_end end, enum policy_reason reason)
{
	t->decision->action = end == BOOST_FOREIGN ? POLICY_FORGET : POLICY_UNBOOST;
	t->decision->reason = reason;
	vcpu_unboost(t, end, reason);
}

/* Its own bucket was emptied: by a burst, or by steady demand, for which the waits grow. */
static void count_strike(struct turn *t)
{
	struct policy_vcpu *v = t->v;
	uint64_t refill_ns = vcpu_refill_ns(v, v->profile.burst_ns);

	if (t->now_ns - v->burst_from_ns > STEADY_REFILLS * refill_ns) {
		v->strikes = 0;
		return;
	}
	v->strikes = MIN(v->strikes + 1, (unsigned int)BACKOFF_SHIFT_MAX);
	v->backoff_until_ns = t->now_ns + (refill_ns << v->strikes);
	v->backoff_why = POLICY_REASON_BACKOFF;
}

/*
 * Other threads waited for it, and run now. Boosted again at its next halt, it would be in their
 * way again: it waits as if it had emptied its bucket.
 */
static void hold_off(struct turn *t, enum policy_reason reason)
{
	t->v->backoff_until_ns = t->now_ns + vcpu_refill_ns(t->v, t->v->profile.burst_ns);
	t->v->backoff_why = reason;
}

/* It has no tokens any more, or is to be treated so: unboosted until its buckets are full. */
static void exhausted(struct turn *t, enum policy_reason reason)
{
	struct policy_vcpu *v = t->v;
	uint64_t until_ns = MAX(t->facts.full_at_ns, t->now_ns + 1);

	if (reason == POLICY_REASON_HELPER)
		hold_off(t, reason);
	until_ns = MAX(until_ns, t->facts.domain_at_ns);
	until_ns = MAX(until_ns, t->facts.cpu_at_ns);
	until_ns = MAX(until_ns, t->facts.sheet_at_ns);
	until_ns = MAX(until_ns, v->backoff_until_ns);
	v->view.throttles_total++;
	vcpu_deny(v, reason);
	unboost(t, BOOST_EXHAUSTED, reason);
	vcpu_look_at(t, until_ns);
}

static void exhausted_by_demand(struct turn *t, enum policy_reason reason)
{
	count_strike(t);
	exhausted(t, reason);
}

/* A guest that makes requests yields what it does not need, and keeps its tokens. */
static bool may_fall_short(const struct turn *t)
{
	return t->facts.whereabouts == POLICY_HALTED && !vcpu_is_commanded(t) &&
	       t->facts.urgency == PVSCHED_URGENCY_NONE;
}

/*
 * It sleeps, and what it has left would end in the middle of its next piece of work. The boost ends
 * here, where no thread has to wait for that: a sign of restraint, so its strikes are forgotten.
 * Boosts that end so are as far apart as those that empty the bucket.
 */
static void falls_short(struct turn *t)
{
	struct policy_vcpu *v = t->v;

	v->strikes = 0;
	v->backoff_until_ns = v->burst_from_ns + vcpu_refill_ns(v, v->profile.burst_ns);
	v->backoff_why = POLICY_REASON_BUDGET;
	v->view.shorts_total++;
	exhausted(t, POLICY_REASON_BUDGET);
}

/* Unboosted with tokens left: boosted again at its next halt, or when it is wanted. */
static void give_back(struct turn *t, enum policy_reason reason)
{
	struct policy_vcpu *v = t->v;

	v->view.yields_total += reason == POLICY_REASON_ORDINARY;
	unboost(t, BOOST_GIVEN_BACK, reason);
	t->decision->report_halt = true;
	v->expected_look_ns = t->kind->expects_ns(t);
	vcpu_look_at(t, v->expected_look_ns);
}

static void spins(struct turn *t)
{
	struct policy_vcpu *v = t->v;

	if (t->now_ns > v->spin_until_ns + SPIN_AGAIN_NS)
		v->spins = 0;
	v->spin_until_ns = t->now_ns + (SPIN_HOLD_NS << v->spins);
	v->spins = MIN(v->spins + 1, (unsigned int)SPIN_SHIFT_MAX);
	v->view.spins_total++;
	vcpu_deny(v, POLICY_REASON_SPIN);
	give_back(t, POLICY_REASON_SPIN);
	t->decision->report_halt = false; /* no halt arms it before then */
	vcpu_look_at(t, v->spin_until_ns);
}

/* Plans a look for every end of the boost that no event tells of. */
static void plan_look(struct turn *t)
{
	struct policy_vcpu *v = t->v;
	struct vcpu_boosted *b = &v->boosted;
	bool running = t->facts.whereabouts == POLICY_RUNNING;
	bool unwatched = running && !t->facts.watched;
	uint64_t at_ns = v->view.next_ns;

	b->watch = watch_next(b->watch, unwatched ? WATCH_ON_RUN : WATCH_ON_TRACER);
	if (!vcpu_is_awake(&t->facts)) {
		b->urgent_from_ns = 0;
		b->yield = yield_next(b->yield, YIELD_ON_SLEEP);
	}
	at_ns = MIN(at_ns, bounds_look_ns(t));
	at_ns = MIN(at_ns, t->kind->look_ns(t));
	if (vcpu_is_commanded(t))
		at_ns = MIN(at_ns, v->command_until_ns);
	vcpu_look_at(t, at_ns);
}

static void reconsider(struct turn *t)
{
	enum policy_reason reason = vcpu_forbidden(t);
	struct vcpu_boosted *b = &t->v->boosted;

	vcpu_look_at(t, NSEC_NEVER);
	b->yield = yield_next(b->yield, YIELD_ON_LOOK);
	if (reason != POLICY_REASON_WITHIN) {
		unboost(t, BOOST_FORBIDDEN, reason);
		return;
	}
	if (t->facts.unheard_until_ns > t->now_ns) {
		vcpu_deny(t->v, POLICY_REASON_ATTENTION);
		unboost(t, BOOST_FORBIDDEN, POLICY_REASON_ATTENTION);
		vcpu_look_at(t, t->facts.unheard_until_ns);
		return;
	}
	reason = bounds_end(t);
	if (reason == POLICY_REASON_BUDGET) {
		exhausted_by_demand(t, reason);
		return;
	}
	if (reason != POLICY_REASON_WITHIN) {
		exhausted(t, reason);
		return;
	}
	reason = t->kind->lower(t);
	if (reason != POLICY_REASON_WITHIN)
		give_back(t, reason);
	else
		plan_look(t);
}

static void forget(struct turn *t)
{
	vcpu_deny(t->v, POLICY_REASON_FOREIGN);
	unboost(t, BOOST_FOREIGN, POLICY_REASON_FOREIGN);
	vcpu_look_at(t, NSEC_NEVER);
}

void boosted_begin(struct turn *t)
{
	struct policy_vcpu *v = t->v;

	if (v->boost.planned_look_ns)
		v->lead_ns = request_learn_lead_ns(t, t->now_ns - v->boost.planned_look_ns);
	v->view.boosts_total++;
	if (v->boost.pulse_ns) {
		pulse_begin(t);
		return;
	}
	v->view.interrupts_total += v->boost.why == POLICY_REASON_INTERRUPT;
	vcpu_boost(t);
	plan_look(t);
}

/* Whatever ends a pulse, the vCPU is what it was before, and keeps what it had. */
static void step_in_pulse(struct turn *t)
{
	enum policy_reason reason;

	/* none is pushed for that: the caller unboosts it */
	if (t->event == POLICY_EVENT_MAY_PUSH)
		return;
	if (!pulse_is_over(t, &reason)) {
		pulse_plan(t);
		return;
	}
	unboost(t, BOOST_GIVEN_BACK, reason);
	pulse_resume(t);
}

void boosted_step(struct turn *t)
{
	if (pulse_goes_on(t->v) && t->event != POLICY_EVENT_FOREIGN) {
		step_in_pulse(t);
		return;
	}
	switch (t->event) {
	case POLICY_EVENT_LOOK:
	case POLICY_EVENT_HALTED:
	case POLICY_EVENT_RESCAN:
	case POLICY_EVENT_SOFTIRQD:
	case POLICY_EVENT_URGENT:
	case POLICY_EVENT_ORDINARY:
	case POLICY_EVENT_HELPER:
	case POLICY_EVENT_INTERRUPT: /* it is boosted already */
	case POLICY_EVENT_AWAITED:
	case POLICY_EVENT_PULSE_OVER:   /* of a pulse that has ended */
	case POLICY_EVENT_HELPER_WAITS: /* the same */
		reconsider(t);
		return;
	case POLICY_EVENT_EXHAUSTED:
		exhausted_by_demand(t, POLICY_REASON_BUDGET);
		return;
	case POLICY_EVENT_DOMAIN_EXHAUSTED:
		exhausted(t, POLICY_REASON_DOMAIN_CAP);
		return;
	case POLICY_EVENT_CPU_EXHAUSTED:
		exhausted(t, POLICY_REASON_CPU_CAP);
		return;
	case POLICY_EVENT_SHEET_USED_UP:
		exhausted(t, POLICY_REASON_CPU_REAL_TIME);
		return;
	case POLICY_EVENT_SHED:
		exhausted_by_demand(t, POLICY_REASON_CPU_CAP);
		return;
	case POLICY_EVENT_NO_DEADLINE:
		exhausted(t, POLICY_REASON_NO_DEADLINE);
		return;
	case POLICY_EVENT_UNSEEN:
		exhausted(t, POLICY_REASON_UNSEEN);
		return;
	case POLICY_EVENT_MAY_PUSH:
		push_step(t);
		return;
	case POLICY_EVENT_SPIN:
		spins(t);
		return;
	case POLICY_EVENT_SHORT:
		if (may_fall_short(t))
			falls_short(t);
		else
			reconsider(t);
		return;
	case POLICY_EVENT_FOREIGN:
		forget(t);
		return;
	case _POLICY_EVENT_MAX:
		return;
	}
}
