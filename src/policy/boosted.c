// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/boosted.h"

#include "core/account.h"
#include "policy/interrupt.h"
#include "policy/push.h"
#include "policy/request.h"

/* A bucket that is empty before it could have refilled so many times: steady demand, no burst. */
#define STEADY_REFILLS 4

/* The longest back-off, as a power of two of the time to refill: 20 ms for the latency profile. */
#define BACKOFF_SHIFT_MAX 3

/* How long ksoftirqd may wait behind a boosted vCPU. */
#define SOFTIRQD_WAIT_NS (1 * NSEC_PER_MSEC)

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
	v->expected_look_ns = request_expected_look_ns(t);
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

/* When its tokens end, if only our timer sees that. */
static uint64_t tokens_look_ns(const struct turn *t)
{
	if (t->v->boosted.watch != WATCH_BY_TIMER)
		return NSEC_NEVER;
	return t->now_ns + (t->facts.tokens_ns > 0 ? (uint64_t)t->facts.tokens_ns : 1);
}

/*
 * When it may yield, if only we see that: in a run that it was boosted in, and in one in which it
 * was declined before. Once it was declined, the look that came with that is planned already.
 */
static uint64_t yield_look_ns(const struct turn *t)
{
	const struct vcpu_boosted *b = &t->v->boosted;
	bool ours = b->watch == WATCH_BY_TIMER || b->urgent_from_ns ||
	            b->yield == YIELD_DECLINED_BEFORE;

	if (!ours || t->facts.urgency == PVSCHED_URGENCY_NONE || b->yield == YIELD_DECLINED)
		return NSEC_NEVER;
	return request_yield_look_ns(t);
}

/*
 * When a helper will have waited for too long behind it. In the run that it was boosted in, the
 * tracer looks at helpers that begin to wait, and not at those that waited before.
 */
static uint64_t helper_look_ns(const struct turn *t)
{
	uint64_t behind_ns = t->facts.helper_behind_ns;

	if (t->v->boosted.watch != WATCH_BY_TIMER || !t->facts.helper_waits)
		return NSEC_NEVER;
	return t->now_ns + PVS_HELPER_WAIT_NS - MIN(behind_ns, (uint64_t)PVS_HELPER_WAIT_NS - 1);
}

/*
 * How long the vCPU itself has kept ksoftirqd waiting in this run. ksoftirqd is a fair thread: it
 * waits behind any other thread, too, and may have waited long when the vCPU was switched in.
 */
static uint64_t softirqd_behind_ns(const struct turn *t)
{
	uint64_t since_ns = t->facts.softirqd_since_ns;

	if (t->facts.whereabouts != POLICY_RUNNING || !since_ns || t->now_ns <= since_ns)
		return 0;
	return MIN(t->facts.ran_ns, t->now_ns - since_ns);
}

/* While ksoftirqd waits the vCPU's deadline may not fire: its tokens are looked at, too. */
static uint64_t softirqd_look_ns(const struct turn *t)
{
	uint64_t left_ns = SOFTIRQD_WAIT_NS - MIN(softirqd_behind_ns(t), SOFTIRQD_WAIT_NS - 1);

	if (t->facts.whereabouts != POLICY_RUNNING || !t->facts.softirqd_since_ns)
		return NSEC_NEVER;
	return t->now_ns + MIN(left_ns, (uint64_t)MAX(t->facts.tokens_ns, 1));
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
	at_ns = MIN(at_ns, interrupt_look_ns(t));
	at_ns = MIN(at_ns, tokens_look_ns(t));
	at_ns = MIN(at_ns, yield_look_ns(t));
	at_ns = MIN(at_ns, helper_look_ns(t));
	/* no event tells that a request lapsed, or was withdrawn, which its profile demands */
	if (v->profile.requests == PROFILE_REQUESTS_REQUIRE)
		at_ns = MIN(at_ns, t->now_ns + PVSCHED_REQUEST_LEASE_NS);
	at_ns = MIN(at_ns, softirqd_look_ns(t));
	if (t->facts.whereabouts == POLICY_WAITING)
		at_ns = MIN(at_ns, t->now_ns + PVS_UNSEEN_NS);
	if (vcpu_is_commanded(t))
		at_ns = MIN(at_ns, v->command_until_ns);
	vcpu_look_at(t, at_ns);
}

static bool starves_softirqd(const struct turn *t)
{
	return softirqd_behind_ns(t) >= SOFTIRQD_WAIT_NS;
}

/* WITHIN: it has tokens, and is in the way of no thread that must not wait. */
static enum policy_reason reason_to_throttle(const struct turn *t)
{
	if (t->facts.sheet_used_up)
		return POLICY_REASON_CPU_REAL_TIME;
	if (t->facts.whereabouts == POLICY_RUNNING && t->facts.tokens_ns <= 0)
		return POLICY_REASON_BUDGET;
	if (t->facts.waited_ns >= PVS_UNSEEN_NS)
		return POLICY_REASON_UNSEEN;
	if (starves_softirqd(t))
		return POLICY_REASON_SOFTIRQ;
	return vcpu_starves_helper(&t->facts) ? POLICY_REASON_HELPER : POLICY_REASON_WITHIN;
}

/* The time of a command is over, and it would not be boosted without. */
static bool command_is_over(struct turn *t)
{
	struct policy_vcpu *v = t->v;

	if (!v->command_until_ns || vcpu_is_commanded(t))
		return false;
	v->command_until_ns = 0;
	return v->view.reason == POLICY_REASON_COMMAND && t->facts.whereabouts != POLICY_HALTED;
}

static bool yields(struct turn *t)
{
	struct request_answer answer = request_yields(t);
	struct vcpu_boosted *b = &t->v->boosted;

	switch (answer.yield) {
	case REQUEST_KEEP:
		return false;
	case REQUEST_DECLINE:
		b->yield = yield_next(b->yield, YIELD_ON_DECLINE);
		b->urgent_from_ns = answer.urgent_from_ns;
		vcpu_look_at(t, answer.look_ns);
		return false;
	case REQUEST_YIELD:
		return true;
	}
	return false;
}

/* WITHIN: it still has a use for its boost. */
static enum policy_reason reason_to_give_back(struct turn *t)
{
	if (request_is_missing(t))
		return POLICY_REASON_NO_REQUEST;
	if (command_is_over(t))
		return POLICY_REASON_AWAKE;
	if (!vcpu_is_commanded(t) && interrupt_is_over(t))
		return POLICY_REASON_AWAKE;
	return yields(t) ? POLICY_REASON_ORDINARY : POLICY_REASON_WITHIN;
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
	reason = reason_to_throttle(t);
	if (reason == POLICY_REASON_BUDGET) {
		exhausted_by_demand(t, reason);
		return;
	}
	if (reason != POLICY_REASON_WITHIN) {
		exhausted(t, reason);
		return;
	}
	reason = reason_to_give_back(t);
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
		v->lead_ns = request_learn_lead_ns(v, t->now_ns - v->boost.planned_look_ns);
	v->view.boosts_total++;
	v->view.interrupts_total += v->boost.why == POLICY_REASON_INTERRUPT;
	vcpu_boost(t);
	plan_look(t);
}

void boosted_step(struct turn *t)
{
	switch (t->event) {
	case POLICY_EVENT_LOOK:
	case POLICY_EVENT_HALTED:
	case POLICY_EVENT_RESCAN:
	case POLICY_EVENT_SOFTIRQD:
	case POLICY_EVENT_URGENT:
	case POLICY_EVENT_ORDINARY:
	case POLICY_EVENT_HELPER:
	case POLICY_EVENT_INTERRUPT: /* it is boosted already */
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
