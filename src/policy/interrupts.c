// SPDX-License-Identifier: GPL-2.0-or-later
/* An interrupt that comes while its vCPU waits to run. */
#include "policy/vcpu.h"
#include "core/bucket.h"
#include "core/account.h"

/*
 * Such a boost is for the interrupt, not for the work that it interrupts: that would go on for as
 * long as there are tokens, and nothing would be left to arm the vCPU with when it sleeps. So it
 * has this part of what is left, and needs as much of a burst to be left as two such parts of a
 * full one: whoever sleeps after any number of them is armed, with more than half of its burst.
 */
#define RUN_PART        4
#define MISSING_AT_MOST 4

/* What is shorter is not worth two calls of the scheduler. */
#define RUN_MIN_NS PVS_TOKENS_MIN_NS

/*
 * Two looks at a run that has not lasted long enough: it began late, or after a sleep that nobody
 * saw. Then it is elevated as any other vCPU that was armed.
 */
#define LOOKS_MAX 2

uint64_t policy_interrupt_run_ns(const struct policy_facts *facts)
{
	return facts->tokens_ns > 0 ? (uint64_t)facts->tokens_ns / RUN_PART : 0;
}

/* Its own alone: what the shared buckets will hold by then depends on others. */
uint64_t policy_interrupts_from(const struct policy_vcpu *v, const struct policy_facts *facts)
{
	uint64_t missing_ns = v->profile.burst_ns / MISSING_AT_MOST;
	uint64_t refill_ns = policy_refill_ns(&v->profile, missing_ns);

	return facts->full_at_ns > refill_ns ? facts->full_at_ns - refill_ns : 0;
}

bool policy_interrupted(const struct policy_vcpu *v, const struct policy_facts *facts,
                        uint64_t now_ns)
{
	return v->profile.on_interrupt && facts->whereabouts == POLICY_WAITING &&
	       facts->interrupted && policy_interrupt_run_ns(facts) >= RUN_MIN_NS &&
	       policy_interrupts_from(v, facts) <= now_ns;
}

/* From now on it is elevated for another reason. */
static void go_on(struct policy_vcpu *v, enum policy_reason reason)
{
	v->interrupt_run_ns = 0;
	if (v->view.reason == POLICY_REASON_INTERRUPT)
		v->view.reason = reason;
}

bool policy_interrupt_over(struct policy_vcpu *v, const struct policy_facts *facts)
{
	if (!v->interrupt_run_ns || facts->whereabouts == POLICY_WAITING)
		return false;
	if (facts->ask == PVSCHED_ASK_URGENT) {
		go_on(v, POLICY_REASON_ASKED); /* what the interrupt led to */
		return false;
	}
	if (facts->whereabouts == POLICY_RUNNING && facts->ran_ns >= v->interrupt_run_ns)
		return true;
	if (facts->whereabouts == POLICY_RUNNING && ++v->interrupt_looks < LOOKS_MAX)
		return false;
	/* it sleeps, or slept: served, and armed */
	go_on(v, POLICY_REASON_WITHIN);
	return false;
}

uint64_t policy_interrupt_look(const struct policy_vcpu *v, const struct policy_facts *facts,
                               uint64_t now_ns)
{
	if (!v->interrupt_run_ns)
		return NSEC_NEVER;
	/* behind other real-time threads: ever later */
	if (facts->whereabouts == POLICY_WAITING)
		return now_ns + MAX(v->interrupt_run_ns, facts->waited_ns);
	if (facts->ran_ns >= v->interrupt_run_ns)
		return now_ns + 1;
	return now_ns + v->interrupt_run_ns - facts->ran_ns;
}
