// SPDX-License-Identifier: GPL-2.0-or-later
/* What a guest asks for. */
#include "policy/vcpu.h"
#include "core/account.h"

/*
 * How long before the time at which its guest expects to be urgent it is raised: what the booster
 * needs to be woken and to call the scheduler. That depends on the machine, so it is learned from
 * how long it took: about one in sixteen takes longer than what these steps settle at.
 */
#define LEAD_FIRST_NS (20 * NSEC_PER_USEC)
#define LEAD_MIN_NS   (10 * NSEC_PER_USEC)
#define LEAD_MAX_NS   (150 * NSEC_PER_USEC)
#define LEAD_UP_NS    (4 * NSEC_PER_USEC)
#define LEAD_DOWN_NS  (LEAD_UP_NS / 16)

/* A guest that is later than this was wrong about when: as if it had not said it. */
#define EXPECTED_LATE_NS (200 * NSEC_PER_USEC)

/* What it yielded is worth nothing when it is less. */
#define ENOUGH_MIN_NS (60 * NSEC_PER_USEC)

/* Two calls of the scheduler so shortly before they are taken back are for nothing. */
#define NEAR_LEADS 2

/* How long after its guest should be done with what was urgent it is looked at. */
#define LOOK_AFTER_NS (5 * NSEC_PER_USEC)
#define LOOK_AGAIN_NS (20 * NSEC_PER_USEC)

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

/*
 * Ordinary now; urgent again at expected_ns, and that is not so long ago that it was a mistake. One
 * that has waited since could not say anything else.
 */
static bool is_expecting(const struct policy_facts *facts, uint64_t now_ns)
{
	uint64_t heard_ns = now_ns - MIN(facts->waited_ns, now_ns);

	return facts->ask == PVSCHED_ASK_ORDINARY && facts->expected_ns &&
	       heard_ns < facts->expected_ns + EXPECTED_LATE_NS;
}

static uint64_t lead_ns(const struct policy_vcpu *v)
{
	return v->lead_ns ? v->lead_ns : LEAD_FIRST_NS;
}

bool policy_wanted_awake(const struct policy_vcpu *v, enum policy_event event,
                         const struct policy_facts *facts, uint64_t now_ns, enum policy_reason *why)
{
	if (!is_awake(facts) || facts->tokens_ns <= 0)
		return false;
	*why = POLICY_REASON_COMMAND;
	if (v->command_until_ns > now_ns)
		return true;
	*why = POLICY_REASON_ASKED;
	/* one that runs undisturbed needs no boost: its preemption will tell */
	if (facts->ask == PVSCHED_ASK_URGENT)
		return facts->whereabouts == POLICY_WAITING || event == POLICY_EVENT_URGENT;
	if (is_expecting(facts, now_ns) && now_ns + lead_ns(v) >= facts->expected_ns)
		return true;
	*why = POLICY_REASON_INTERRUPT;
	return policy_interrupted(v, facts, now_ns);
}

uint64_t policy_expected_look(const struct policy_vcpu *v, const struct policy_facts *facts,
                              uint64_t now_ns)
{
	if (!is_expecting(facts, now_ns) || now_ns + lead_ns(v) >= facts->expected_ns)
		return NSEC_NEVER;
	return facts->expected_ns - lead_ns(v);
}

void policy_learn_lead(struct policy_vcpu *v, uint64_t now_ns)
{
	uint64_t took_ns = now_ns - v->expected_look_ns, lead = lead_ns(v);

	lead = took_ns > lead ? lead + LEAD_UP_NS : lead - LEAD_DOWN_NS;
	v->lead_ns = MIN(MAX(lead, LEAD_MIN_NS), LEAD_MAX_NS);
}

uint64_t policy_enough_ns(const struct policy_vcpu *v, const struct policy_facts *facts)
{
	uint64_t enough_ns = facts->urgent_run_ns ? facts->urgent_run_ns + lead_ns(v) : 0;

	/* all that it may have is enough, or it would never be served */
	return MIN(MAX(enough_ns, ENOUGH_MIN_NS), v->profile.burst_ns);
}

uint64_t policy_urgent_from(const struct policy_facts *facts, uint64_t now_ns)
{
	if (facts->whereabouts == POLICY_HALTED)
		return 0;
	/* by command it may be raised long before */
	return MIN(MAX(facts->expected_ns, now_ns), now_ns + LEAD_MAX_NS);
}

/*
 * A vCPU that yields while its guest has work left is raised for each burst until the work is done,
 * every time a lead too early, and lowered about as much too late. Until about three bursts' worth
 * of that is used up, it is cheaper to let the work run.
 */
#define GRACE_LEADS 3

/* But never more than this part of its burst: the rest is for what is urgent. */
#define GRACE_OF_BURST 2

uint64_t policy_grace_ns(const struct policy_vcpu *v)
{
	uint64_t grace_ns = MIN(GRACE_LEADS * lead_ns(v), v->profile.burst_ns / GRACE_OF_BURST);

	return MAX((uint64_t)PVS_REQUEST_GRACE_NS, grace_ns);
}

/*
 * Its run, the one that goes on or the one that was preempted. Who asks may be what preempted it:
 * the booster often runs on the very CPU of the vCPU that it is about, and where there is one CPU,
 * always.
 */
static struct pvs_request_run ask_run(const struct policy_vcpu *v, const struct policy_facts *facts,
                                      uint64_t now_ns)
{
	uint64_t ran_ns = facts->ran_ns;

	if (facts->whereabouts == POLICY_WAITING)
		ran_ns = facts->preempted_after_ns;
	return (struct pvs_request_run){
	        .opinion = facts->ask,
	        .in_ns = now_ns - MIN(ran_ns, now_ns),
	        .said_ns = facts->said_ns,
	        .urgent_run_ns = facts->urgent_run_ns,
	        .grace_ns = policy_grace_ns(v),
	};
}

/*
 * It was raised while other work went on, and that is likely to go on when it has been urgent: no
 * grace. If it is urgent for longer, it is looked at ever later, or a hundred of them would keep
 * the booster busy with looks.
 */
static uint64_t after_burst(const struct policy_vcpu *v, const struct policy_facts *facts,
                            uint64_t now_ns)
{
	uint64_t work_ns = facts->urgent_work_ns ?: PVS_REQUEST_GRACE_NS;
	uint64_t over_ns = v->urgent_from_ns + work_ns + LOOK_AFTER_NS;

	return over_ns > now_ns ? over_ns : now_ns + MAX(LOOK_AGAIN_NS, (now_ns - over_ns) / 2);
}

uint64_t policy_yield_look(const struct policy_vcpu *v, const struct policy_facts *facts,
                           uint64_t now_ns)
{
	struct pvs_request_run run = ask_run(v, facts, now_ns);
	uint64_t elevated_ns;

	if (v->urgent_from_ns)
		return after_burst(v, facts, now_ns);
	/* ever later, or a hundred that are urgent for long would keep the booster busy with looks
	 */
	elevated_ns = now_ns - MAX(run.in_ns, v->view.since_ns);
	return MAX(pvs_request_look_at(&run, now_ns), now_ns + elevated_ns / 4);
}

/* It will be urgent so soon that it is not worth it to yield, and has enough for all until then. */
static bool is_near(const struct policy_vcpu *v, const struct policy_facts *facts, uint64_t now_ns)
{
	uint64_t until_ns;

	if (!is_expecting(facts, now_ns) || now_ns + NEAR_LEADS * lead_ns(v) < facts->expected_ns)
		return false;
	until_ns = facts->expected_ns > now_ns ? facts->expected_ns - now_ns : 0;
	return facts->tokens_ns >= (int64_t)(until_ns + facts->urgent_run_ns) ||
	       now_ns + lead_ns(v) >= facts->expected_ns;
}

bool policy_yields(struct policy *policy, unsigned int vcpu, const struct policy_facts *facts,
                   uint64_t now_ns)
{
	struct policy_vcpu *v = &policy->vcpus[vcpu];
	struct pvs_request_run run = ask_run(v, facts, now_ns);
	uint64_t since_ns = pvs_request_ordinary_since(&run);

	if (!is_awake(facts) || facts->ask != PVSCHED_ASK_ORDINARY || v->command_until_ns > now_ns)
		return false;
	if (facts->whereabouts == POLICY_WAITING && !facts->preempted_after_ns)
		return false; /* it has not run yet */
	v->yield_declined = true;
	v->declined = true;
	if (is_near(v, facts, now_ns)) {
		if (!v->urgent_from_ns)
			v->urgent_from_ns = facts->expected_ns;
		policy_look_at(policy, vcpu, after_burst(v, facts, now_ns));
		return false;
	}
	if (!v->urgent_from_ns && now_ns < since_ns + run.grace_ns) {
		policy_look_at(policy, vcpu, policy_yield_look(v, facts, now_ns));
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
