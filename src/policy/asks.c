// SPDX-License-Identifier: GPL-2.0-or-later
/* What a guest asks for. */
#include "policy/vcpu.h"
#include "pvsched/trace.h"

/*
 * How long before the time at which its guest expects to be urgent it is raised: what the booster
 * needs to be woken and to call the scheduler, on a busy host.
 */
#define EXPECTED_LEAD_NS (50 * NSEC_PER_USEC)

/* A guest that is later than this was wrong about when: as if it had not said it. */
#define EXPECTED_LATE_NS (200 * NSEC_PER_USEC)

/* Less than this is not worth two scheduler calls. */
#define YIELD_WORTH_NS (100 * NSEC_PER_USEC)

/* It yields only while there are changes left to raise it again, and then for the next yield. */
#define YIELD_CHANGES_LEFT 3

void policy_hear(const struct profile *profile, struct policy_facts *facts)
{
	if (profile->asks != PROFILE_ASKS_IGNORE)
		return;
	facts->ask = PVSCHED_ASK_NONE;
	facts->expected_ns = 0;
}

static bool is_awake(const struct policy_facts *facts)
{
	return facts->whereabouts == POLICY_RUNNING || facts->whereabouts == POLICY_WAITING;
}

/* Ordinary now; urgent again at expected_ns, and that is not so long ago that it was a mistake. */
static bool is_expecting(const struct policy_facts *facts, uint64_t now_ns)
{
	return facts->ask == PVSCHED_ASK_ORDINARY && facts->expected_ns &&
	       now_ns < facts->expected_ns + EXPECTED_LATE_NS;
}

bool policy_wanted_awake(const struct policy_vcpu *v, enum policy_event event,
                         const struct policy_facts *facts, uint64_t now_ns, enum policy_reason *why)
{
	if (!is_awake(facts))
		return false;
	*why = POLICY_REASON_COMMAND;
	if (v->command_until_ns > now_ns)
		return true;
	*why = POLICY_REASON_ASKED;
	/* one that runs undisturbed needs no boost: its preemption will tell */
	if (facts->ask == PVSCHED_ASK_URGENT)
		return facts->whereabouts == POLICY_WAITING || event == POLICY_EVENT_URGENT;
	return is_expecting(facts, now_ns) && now_ns + EXPECTED_LEAD_NS >= facts->expected_ns;
}

uint64_t policy_expected_look(const struct policy_facts *facts, uint64_t now_ns)
{
	if (!is_expecting(facts, now_ns) || now_ns + EXPECTED_LEAD_NS >= facts->expected_ns)
		return NSEC_NEVER;
	return facts->expected_ns - EXPECTED_LEAD_NS;
}

/*
 * How long its run lasts. Who asks may be what preempted it: the booster often runs on the very CPU
 * of the vCPU that it is about, and where there is one CPU, always.
 */
static uint64_t ran(const struct policy_facts *facts)
{
	if (facts->whereabouts == POLICY_RUNNING)
		return facts->ran_ns;
	return facts->whereabouts == POLICY_WAITING ? facts->preempted_after_ns : 0;
}

bool policy_yields(struct policy *policy, unsigned int vcpu, const struct policy_facts *facts,
                   uint64_t now_ns)
{
	struct policy_vcpu *v = &policy->vcpus[vcpu];
	uint64_t ran_ns = ran(facts);

	if (!ran_ns || facts->ask != PVSCHED_ASK_ORDINARY || v->command_until_ns > now_ns)
		return false;
	v->yield_declined = true;
	if (ran_ns < PVS_ASK_GRACE_NS) {
		policy_look_at(policy, vcpu, now_ns + PVS_ASK_GRACE_NS - ran_ns);
		return false;
	}
	if (is_expecting(facts, now_ns) && now_ns + YIELD_WORTH_NS >= facts->expected_ns) {
		policy_look_at(policy, vcpu, MAX(facts->expected_ns, now_ns) + PVS_ASK_GRACE_NS);
		return false;
	}
	if (policy_changes_left(policy, v, now_ns) < YIELD_CHANGES_LEFT) {
		policy_look_at(policy, vcpu,
		               now_ns + YIELD_CHANGES_LEFT * policy_change_cost_ns(policy));
		return false;
	}
	v->yield_declined = false;
	return true;
}
