// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/interrupt.h"

#include "core/account.h"

/*
 * Such a boost serves the interrupt, not the work that it interrupts. That work would go on for as
 * long as there are tokens, and none would be left to arm the vCPU with when it sleeps. So the
 * vCPU may run for a quarter of the tokens that are left, and only while three quarters of its
 * burst are there. After that at least 9/16 are left: a vCPU that sleeps after any number of these
 * boosts can be armed with more than half of its burst.
 */
#define RUN_PART     4 /* of what is left */
#define MISSING_PART 4 /* of the burst: no more may be missing */

/*
 * A run that is too short also at the second look began late, or after a sleep that was not seen.
 * Then the interrupt has been served, and the vCPU stays boosted as any other that was armed.
 */
#define LOOKS_MAX 2

uint64_t interrupt_run_ns(const struct policy_facts *facts)
{
	return facts->tokens_ns > 0 ? (uint64_t)facts->tokens_ns / RUN_PART : 0;
}

/* Of its own bucket alone: what the shared ones will hold by then depends on other vCPUs. */
uint64_t interrupt_from_ns(const struct turn *t)
{
	uint64_t missing_ns = t->v->profile.burst_ns / MISSING_PART;
	uint64_t refill_ns = vcpu_refill_ns(t->v, missing_ns);

	return t->facts.full_at_ns > refill_ns ? t->facts.full_at_ns - refill_ns : 0;
}

/* A run that is shorter than what a change takes is not worth two of them. */
bool interrupt_waits(const struct turn *t)
{
	return t->v->profile.on_interrupt && t->facts.whereabouts == POLICY_WAITING &&
	       t->facts.interrupted && interrupt_run_ns(&t->facts) >= vcpu_act_ns(t->policy) &&
	       interrupt_from_ns(t) <= t->now_ns;
}

/* From now on it is boosted for another reason. */
static void go_on(struct policy_vcpu *v, enum policy_reason reason)
{
	v->boosted.interrupt_run_ns = 0;
	if (v->view.reason == POLICY_REASON_INTERRUPT)
		v->view.reason = reason;
}

bool interrupt_is_over(struct turn *t)
{
	struct policy_vcpu *v = t->v;
	bool running = t->facts.whereabouts == POLICY_RUNNING;

	if (!v->boosted.interrupt_run_ns || t->facts.whereabouts == POLICY_WAITING)
		return false;
	if (t->facts.urgency == PVSCHED_URGENCY_URGENT) {
		go_on(v, POLICY_REASON_REQUESTED); /* the interrupt led to something urgent */
		return false;
	}
	if (running && t->facts.ran_ns >= v->boosted.interrupt_run_ns)
		return true;
	if (running && ++v->boosted.interrupt_looks < LOOKS_MAX)
		return false;
	/* it sleeps, or has slept: the interrupt is served, and the vCPU is armed */
	go_on(v, POLICY_REASON_WITHIN);
	return false;
}

uint64_t interrupt_look_ns(const struct turn *t)
{
	uint64_t run_ns = t->v->boosted.interrupt_run_ns;

	if (!run_ns)
		return NSEC_NEVER;
	/* it waits behind other real-time threads: the looks back off with its wait */
	if (t->facts.whereabouts == POLICY_WAITING)
		return t->now_ns + MAX(run_ns, t->facts.waited_ns);
	if (t->facts.ran_ns >= run_ns)
		return t->now_ns + 1;
	return t->now_ns + run_ns - t->facts.ran_ns;
}
