// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/kind.h"

#include "policy/interrupt.h"
#include "policy/request.h"

/*
 * The policy `pvschedd`: a vCPU is armed while it sleeps, so that its wake-up is fast. What its
 * guest says, and what is seen from outside, boosts it besides, and makes it yield.
 */

static struct kind_wish wish(const struct turn *t)
{
	enum policy_reason why;

	if (request_is_missing(t))
		return (struct kind_wish){false, POLICY_REASON_NO_REQUEST};
	if (t->facts.whereabouts == POLICY_HALTED)
		return (struct kind_wish){true, POLICY_REASON_WITHIN};
	why = request_boost_awake(t);
	return (struct kind_wish){why != POLICY_REASON_AWAKE, why};
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
static enum policy_reason lower(struct turn *t)
{
	if (request_is_missing(t))
		return POLICY_REASON_NO_REQUEST;
	if (command_is_over(t))
		return POLICY_REASON_AWAKE;
	if (!vcpu_is_commanded(t) && interrupt_is_over(t))
		return POLICY_REASON_AWAKE;
	return yields(t) ? POLICY_REASON_ORDINARY : POLICY_REASON_WITHIN;
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

static uint64_t look_ns(const struct turn *t)
{
	uint64_t at_ns = MIN(interrupt_look_ns(t), yield_look_ns(t));

	/* no event tells that a request lapsed, or was withdrawn, which its profile demands */
	if (t->v->profile.requests == PROFILE_REQUESTS_REQUIRE)
		at_ns = MIN(at_ns, t->now_ns + PVSCHED_REQUEST_LEASE_NS);
	return at_ns;
}

const struct policy_kind kind_pvschedd = {
        .wish = wish,
        .expects_ns = request_expected_look_ns,
        .lower = lower,
        .look_ns = look_ns,
};
