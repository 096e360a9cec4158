// SPDX-License-Identifier: GPL-2.0-or-later
/* A vCPU that is not elevated: may it be? */
#include "policy/vcpu.h"
#include "core/bucket.h"
#include "core/account.h"

/*
 * A halt that is over before the booster has looked is too short to arm in. One that does nothing
 * else would wake the booster thousands of times a second for nothing: it is asked about ever less
 * often.
 */
#define SHORT_HALT_NS        (1 * NSEC_PER_MSEC)
#define SHORT_HALT_SHIFT_MAX 4

/*
 * Many wait for one domain's or CPU's bucket, and few of them are served when it is full again: who
 * was turned away before looks again ever later, at most 256 ms. Otherwise a thousand that look
 * each time take the booster so much time, which is real-time and counts, that nobody is served.
 */
#define CAP_RETRY_NS        (2 * NSEC_PER_MSEC)
#define CAP_RETRY_SHIFT_MAX 7

/*
 * A guest that says it is urgent when it is preempted, and something else, or nothing, when the
 * booster has come to look: it could call as often as it is preempted, tens of thousands of times a
 * second, and each time for nothing. Every so many calls it is not heard for a while.
 */
#define VAIN_CALLS_MAX 2
#define DEAF_NS        (2 * NSEC_PER_MSEC)

#define REFILL_MIN_NS (200 * NSEC_PER_USEC)

/* When so many tokens will have come. Not so often: it may be a shared bucket that lacks. */
static uint64_t refilled_at(const struct policy_vcpu *v, int64_t tokens_ns, uint64_t now_ns)
{
	return now_ns + MAX(policy_refill_ns(&v->profile, (uint64_t)tokens_ns), REFILL_MIN_NS);
}

/* Which bucket is not full again, and when it will be. WITHIN: all are. */
static enum policy_reason empty_bucket(const struct policy_vcpu *v,
                                       const struct policy_facts *facts, uint64_t now_ns,
                                       uint64_t *until_ns)
{
	struct pvs_bucket_rule rule = {.burst_ns = v->profile.burst_ns,
	                               .share_permille = v->profile.share_permille};
	int64_t own_ns, enough_ns = (int64_t)policy_enough_ns(v, facts);

	/* it gave back what it had: that is still its own, full or not */
	if (v->yielded && facts->tokens_ns >= enough_ns)
		return POLICY_REASON_WITHIN;
	own_ns = pvs_bucket_tokens(&rule, facts->full_at_ns, now_ns);
	if (facts->full_at_ns > now_ns && (!v->yielded || own_ns < enough_ns)) {
		*until_ns = facts->full_at_ns;
		if (v->yielded)
			*until_ns = MIN(*until_ns, refilled_at(v, enough_ns - own_ns, now_ns));
		return POLICY_REASON_BUDGET;
	}
	if (facts->domain_at_ns > now_ns) {
		*until_ns = facts->domain_at_ns;
		return POLICY_REASON_DOMAIN_CAP;
	}
	if (facts->cpu_at_ns > now_ns) {
		*until_ns = facts->cpu_at_ns;
		return POLICY_REASON_CPU_CAP;
	}
	/* of a shared bucket, what is not charged yet taken off */
	if (facts->whereabouts == POLICY_WAITING && facts->tokens_ns <= 0) {
		*until_ns = refilled_at(v, enough_ns - facts->tokens_ns, now_ns);
		return POLICY_REASON_BUDGET;
	}
	return POLICY_REASON_WITHIN;
}

/*
 * Why it may not be raised whatever it does, and when that may have changed (NSEC_NEVER: an event
 * will tell). WITHIN when it may.
 */
static enum policy_reason obstacle(const struct policy *policy, const struct policy_vcpu *v,
                                   uint32_t holds, const struct policy_facts *facts,
                                   uint64_t now_ns, uint64_t *until_ns)
{
	enum policy_reason reason;

	*until_ns = NSEC_NEVER;
	if (holds)
		return policy_strongest(holds);
	if (v->profile.mode != PROFILE_BOOST)
		return POLICY_REASON_PROFILE;
	if (facts->quota)
		return POLICY_REASON_QUOTA;
	if (v->backoff_until_ns > now_ns) {
		*until_ns = MAX(v->backoff_until_ns, facts->full_at_ns);
		return v->backoff_why;
	}
	if (policy_starves_helper(facts)) {
		*until_ns = now_ns + PVS_HELPER_WAIT_NS;
		return POLICY_REASON_HELPER;
	}
	if (v->spin_until_ns > now_ns) {
		*until_ns = v->spin_until_ns;
		return POLICY_REASON_SPIN;
	}
	reason = empty_bucket(v, facts, now_ns, until_ns);
	if (reason != POLICY_REASON_WITHIN)
		return reason;
	if (policy_changes_left(policy, v, now_ns) < 1) {
		*until_ns = now_ns + policy_change_cost_ns(policy);
		return POLICY_REASON_RATE;
	}
	if (v->profile.asks == PROFILE_ASKS_REQUIRE && facts->ask == PVSCHED_ASK_NONE &&
	    v->command_until_ns <= now_ns)
		return POLICY_REASON_UNASKED;
	return POLICY_REASON_WITHIN;
}

static void raise_it(struct policy *policy, unsigned int vcpu, enum policy_reason why,
                     uint64_t now_ns, struct policy_decision *ret)
{
	struct policy_vcpu *v = &policy->vcpus[vcpu];

	policy_charge_change(policy, v, now_ns);
	/* what it yielded belongs to the boost before: steady demand is counted from that */
	if (!v->yielded)
		v->raised_at_ns = now_ns;
	v->yielded = false;
	v->yield_declined = false;
	v->declined = false;
	v->backs_off = false;
	v->deaf = false;
	v->vain_calls = 0;
	v->short_halts = 0;
	v->turned_away = 0;
	v->interrupt_run_ns = 0;
	v->interrupt_looks = 0;
	v->why = why;
	ret->action = POLICY_RAISE;
	ret->reason = why;
	policy_look_at(policy, vcpu, NSEC_NEVER);
}

/* Nothing is in the way but that it is awake, or does not ask: an event will tell. */
static uint64_t wait_for_event(struct policy_vcpu *v, enum policy_event event,
                               enum policy_reason reason, const struct policy_facts *facts,
                               uint64_t now_ns, struct policy_decision *ret)
{
	unsigned int shift = v->short_halts;
	uint64_t at_ns = v->view.next_ns;
	/* a guest that puts off when it will be urgent each time somebody comes */
	bool put_off = event == POLICY_EVENT_LOOK && at_ns == v->expected_look_ns &&
	               now_ns >= v->expected_look_ns;

	/* it was preempted, and somebody wants something of it: no look of ours */
	bool called = event == POLICY_EVENT_URGENT || event == POLICY_EVENT_INTERRUPT;

	/* in all of these cases a look is planned, and stays so */
	v->deaf = v->deaf && (called || event == POLICY_EVENT_HALTED);
	v->backs_off = event == POLICY_EVENT_HALTED || (v->backs_off && called);
	ret->report_halt = !v->backs_off;
	if (event == POLICY_EVENT_HALTED) {
		if (reason == POLICY_REASON_UNASKED)
			shift = SHORT_HALT_SHIFT_MAX;
		v->short_halts = MIN(v->short_halts + 1, (unsigned int)SHORT_HALT_SHIFT_MAX);
		return now_ns + (SHORT_HALT_NS << shift);
	}
	if (!v->backs_off) {
		at_ns = policy_expected_look(v, facts, now_ns);
		v->expected_look_ns = at_ns;
	}
	if ((event == POLICY_EVENT_URGENT || put_off) && ++v->vain_calls >= VAIN_CALLS_MAX) {
		v->vain_calls = 0;
		v->deaf = true;
	}
	if (!v->deaf)
		return at_ns;
	if (event == POLICY_EVENT_INTERRUPT)
		return v->view.next_ns;
	v->expected_look_ns = NSEC_NEVER;
	return now_ns + DEAF_NS;
}

/* A shared bucket is not full: the first time it looks when that will be. */
static uint64_t wait_for_cap(struct policy_vcpu *v, uint64_t until_ns, uint64_t now_ns)
{
	unsigned int before = v->turned_away;

	v->turned_away = MIN(before + 1, (unsigned int)CAP_RETRY_SHIFT_MAX + 1);
	return before ? MAX(until_ns, now_ns + (CAP_RETRY_NS << (before - 1))) : until_ns;
}

/* In base or throttled: arm it if nothing is in the way, else wait for what is. */
void policy_consider(struct policy *policy, unsigned int vcpu, enum policy_event event,
                     const struct policy_facts *facts, uint64_t now_ns, struct policy_decision *ret)
{
	struct policy_vcpu *v = &policy->vcpus[vcpu];
	enum policy_reason reason, why = POLICY_REASON_WITHIN;
	uint64_t until_ns;
	bool owes;

	reason = obstacle(policy, v, policy_holds(policy, vcpu), facts, now_ns, &until_ns);
	if (reason == POLICY_REASON_WITHIN) {
		if (facts->whereabouts == POLICY_HALTED ||
		    policy_wanted_awake(v, event, facts, now_ns, &why)) {
			v->raised_ahead = event == POLICY_EVENT_LOOK &&
			                  why == POLICY_REASON_ASKED &&
			                  v->view.next_ns == v->expected_look_ns &&
			                  now_ns >= v->expected_look_ns;
			v->urgent_from_ns = policy_urgent_from(facts, now_ns);
			raise_it(policy, vcpu, why, now_ns, ret);
			if (why == POLICY_REASON_INTERRUPT)
				v->interrupt_run_ns = policy_interrupt_run_ns(facts);
			return;
		}
		reason = POLICY_REASON_AWAKE;
	}
	ret->reason = reason;
	if (reason == POLICY_REASON_AWAKE || reason == POLICY_REASON_UNASKED)
		until_ns = wait_for_event(v, event, reason, facts, now_ns, ret);
	else if (reason == POLICY_REASON_DOMAIN_CAP || reason == POLICY_REASON_CPU_CAP ||
	         reason == POLICY_REASON_HELPER)
		until_ns = wait_for_cap(v, until_ns, now_ns);
	if (reason != POLICY_REASON_AWAKE && reason != POLICY_REASON_UNASKED &&
	    reason != POLICY_REASON_PROFILE) /* nobody asked for a boost there */
		v->view.denied_total[reason]++;
	owes = reason == POLICY_REASON_BUDGET || reason == POLICY_REASON_BACKOFF;
	policy_enter(v, owes ? POLICY_THROTTLED : POLICY_BASE, reason, now_ns);
	policy_look_at(policy, vcpu, until_ns);
}
