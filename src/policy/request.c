// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/request.h"

#include "core/account.h"
#include "policy/interrupt.h"
#include "policy/registry.h"

/*
 * The lead: a vCPU is boosted so long before its guest expects to be urgent, since the booster has
 * to be woken and to call the scheduler. How long that takes depends on the machine and on what it
 * does, so it is learned: from what a change was measured to take, and between half of that and
 * 150 us, or more on a slow machine. The steps settle where about one in sixteen takes longer.
 */
#define LEAD_MAX_NS   (150 * NSEC_PER_USEC)
#define LEAD_MAX_ACTS 8
#define LEAD_UP_NS    (4 * NSEC_PER_USEC)
#define LEAD_DOWN_NS  (LEAD_UP_NS / 16)

/* A guest that is later than this was wrong about when: as if it had not said it. */
#define EXPECTED_LATE_NS (200 * NSEC_PER_USEC)

/* Fewer tokens than so many changes take are not worth a boost after a yield. */
#define ENOUGH_ACTS 3

/* A guest that will be urgent within so many leads does not yield before. */
#define NEAR_LEADS 2

/* A look comes so long after its guest should be done with what was urgent. */
#define LOOK_AFTER_NS (5 * NSEC_PER_USEC)

/* It yields only while so many changes are left: to boost it again, also after later yields. */
#define YIELD_CHANGES_LEFT 3

/*
 * A vCPU that yields while its guest has work left is boosted for each burst until the work is
 * done, each time a lead too early, and unboosted about as much too late. Until about three bursts'
 * worth of that is used up, it is cheaper to let the work run.
 */
#define GRACE_LEADS 3

/* The grace is at most this part of the burst: the rest is for what is urgent. At least so many
 * halves of a change. */
#define GRACE_PART      2
#define GRACE_HALF_ACTS 5

struct policy_facts request_hear(const struct profile *profile, const struct policy_facts *facts)
{
	struct policy_facts heard = *facts;

	if (profile->requests != PROFILE_REQUESTS_IGNORE)
		return heard;
	heard.urgency = PVSCHED_URGENCY_NONE;
	heard.expected_ns = 0;
	heard.agent = false;
	heard.priority = 0;
	heard.speaks = REGISTRY_NONE;
	return heard;
}

bool request_is_missing(const struct turn *t)
{
	return t->v->profile.requests == PROFILE_REQUESTS_REQUIRE &&
	       t->facts.urgency == PVSCHED_URGENCY_NONE && !vcpu_is_commanded(t);
}

static uint64_t lead_ns(const struct turn *t)
{
	return t->v->lead_ns ? t->v->lead_ns : vcpu_act_ns(t->policy);
}

static uint64_t lead_max_ns(const struct turn *t)
{
	return MAX((uint64_t)LEAD_MAX_NS, LEAD_MAX_ACTS * vcpu_act_ns(t->policy));
}

/*
 * Ordinary now, urgent again at expected_ns, and that is not so long ago that it was a mistake. A
 * guest whose vCPU has waited since could not say anything else.
 */
static bool is_expecting(const struct turn *t)
{
	uint64_t heard_ns = t->now_ns - MIN(t->facts.waited_ns, t->now_ns);

	return t->facts.urgency == PVSCHED_URGENCY_ORDINARY && t->facts.expected_ns &&
	       heard_ns < t->facts.expected_ns + EXPECTED_LATE_NS;
}

static bool is_within_leads(const struct turn *t, unsigned int leads)
{
	return is_expecting(t) && t->now_ns + leads * lead_ns(t) >= t->facts.expected_ns;
}

bool request_urgent_waits(const struct turn *t)
{
	return t->facts.urgency == PVSCHED_URGENCY_URGENT &&
	       (t->facts.whereabouts == POLICY_WAITING || t->event == POLICY_EVENT_URGENT);
}

enum policy_reason request_boost_awake(const struct turn *t)
{
	if (!vcpu_is_awake(&t->facts))
		return POLICY_REASON_AWAKE;
	if (vcpu_is_commanded(t))
		return POLICY_REASON_COMMAND;
	/* a vCPU that runs undisturbed needs no boost: the tracer reports its preemption */
	if (t->facts.urgency == PVSCHED_URGENCY_URGENT)
		return request_urgent_waits(t) ? POLICY_REASON_REQUESTED : POLICY_REASON_AWAKE;
	if (is_within_leads(t, 1))
		return POLICY_REASON_REQUESTED;
	return interrupt_waits(t) ? POLICY_REASON_INTERRUPT : POLICY_REASON_AWAKE;
}

uint64_t request_expected_look_ns(const struct turn *t)
{
	if (!is_expecting(t) || is_within_leads(t, 1))
		return NSEC_NEVER;
	return t->facts.expected_ns - lead_ns(t);
}

uint64_t request_learn_lead_ns(const struct turn *t, uint64_t took_ns)
{
	uint64_t lead = lead_ns(t);

	lead = took_ns > lead ? lead + LEAD_UP_NS : lead - LEAD_DOWN_NS;
	return MIN(MAX(lead, vcpu_act_ns(t->policy) / 2), lead_max_ns(t));
}

uint64_t request_enough_ns(const struct turn *t)
{
	uint64_t run_ns = t->facts.urgent_run_ns;
	uint64_t enough_ns = run_ns ? run_ns + lead_ns(t) : 0;

	/* a full bucket is enough, or it would never be boosted */
	return MIN(MAX(enough_ns, ENOUGH_ACTS * vcpu_act_ns(t->policy)), t->v->profile.burst_ns);
}

uint64_t request_urgent_from_ns(const struct turn *t)
{
	if (t->facts.whereabouts == POLICY_HALTED)
		return 0;
	/* a command may boost it long before */
	return MIN(MAX(t->facts.expected_ns, t->now_ns), t->now_ns + lead_max_ns(t));
}

uint64_t request_grace_ns(const struct turn *t)
{
	uint64_t grace_ns = MIN(GRACE_LEADS * lead_ns(t), t->v->profile.burst_ns / GRACE_PART);

	/* a wake-up for ordinary work is boosted for no longer than it takes to see that, or than
	 * it is charged for */
	if (t->facts.agent)
		return MAX((uint64_t)PVS_AGENT_GRACE_NS,
		           (uint64_t)pvs_charge_min_ns(&t->policy->prices));
	return MAX(GRACE_HALF_ACTS * vcpu_act_ns(t->policy) / 2, grace_ns);
}

/*
 * Its current run, or the one that was preempted. The booster that looks may be what preempted it:
 * often it runs on that vCPU's CPU, and where there is one CPU, always.
 */
static struct pvs_request_run current_run(const struct turn *t)
{
	uint64_t ran_ns = t->facts.ran_ns;

	if (t->facts.whereabouts == POLICY_WAITING)
		ran_ns = t->facts.preempted_after_ns;
	return (struct pvs_request_run){
	        .urgency = t->facts.urgency,
	        .in_ns = t->now_ns - MIN(ran_ns, t->now_ns),
	        .said_ns = t->facts.said_ns,
	        .urgent_run_ns = t->facts.urgent_run_ns,
	        .grace_ns = request_grace_ns(t),
	};
}

/*
 * It was boosted while other work went on, which is likely to go on when the urgent work is done:
 * no grace. If it is urgent for longer, the looks back off, or a hundred such vCPUs would keep the
 * booster busy.
 */
static uint64_t after_urgent_ns(const struct turn *t, uint64_t urgent_from_ns)
{
	uint64_t work_ns = t->facts.urgent_work_ns ?: PVS_REQUEST_GRACE_NS;
	uint64_t over_ns = urgent_from_ns + work_ns + LOOK_AFTER_NS;

	if (over_ns > t->now_ns)
		return over_ns;
	return t->now_ns + MAX(vcpu_act_ns(t->policy), (t->now_ns - over_ns) / 2);
}

uint64_t request_yield_look_ns(const struct turn *t)
{
	struct pvs_request_run run = current_run(t);
	uint64_t boosted_ns;

	if (t->v->boosted.urgent_from_ns)
		return after_urgent_ns(t, t->v->boosted.urgent_from_ns);
	/* backs off, too: see there */
	boosted_ns = t->now_ns - MAX(run.in_ns, t->v->view.since_ns);
	return MAX(pvs_request_look_at(&run, t->now_ns), t->now_ns + boosted_ns / 4);
}

/*
 * It will be urgent so soon that a yield is not worth two calls of the scheduler, and its tokens
 * last until it is done, or it would be boosted now anyway.
 */
static bool is_near(const struct turn *t)
{
	uint64_t until_ns;

	if (!is_within_leads(t, NEAR_LEADS))
		return false;
	until_ns = t->facts.expected_ns > t->now_ns ? t->facts.expected_ns - t->now_ns : 0;
	return t->facts.tokens_ns >= (int64_t)(until_ns + t->facts.urgent_run_ns) ||
	       is_within_leads(t, 1);
}

static struct request_answer decline(uint64_t look_ns, uint64_t urgent_from_ns)
{
	return (struct request_answer){REQUEST_DECLINE, look_ns, urgent_from_ns};
}

struct request_answer request_yields(const struct turn *t)
{
	struct pvs_request_run run = current_run(t);
	uint64_t urgent_from_ns = t->v->boosted.urgent_from_ns;

	if (!vcpu_is_awake(&t->facts) || t->facts.urgency != PVSCHED_URGENCY_ORDINARY ||
	    vcpu_is_commanded(t))
		return (struct request_answer){.yield = REQUEST_KEEP};
	/* it has not run yet */
	if (t->facts.whereabouts == POLICY_WAITING && !t->facts.preempted_after_ns)
		return (struct request_answer){.yield = REQUEST_KEEP};
	if (is_near(t)) {
		urgent_from_ns = urgent_from_ns ?: t->facts.expected_ns;
		return decline(after_urgent_ns(t, urgent_from_ns), urgent_from_ns);
	}
	if (!urgent_from_ns && t->now_ns < pvs_request_ordinary_since(&run) + run.grace_ns)
		return decline(request_yield_look_ns(t), 0);
	if (vcpu_changes_left(t) < YIELD_CHANGES_LEFT)
		return decline(t->now_ns + YIELD_CHANGES_LEFT * vcpu_change_cost_ns(t->policy),
		               urgent_from_ns);
	return (struct request_answer){.yield = REQUEST_YIELD};
}
