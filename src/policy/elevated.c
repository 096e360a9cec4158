// SPDX-License-Identifier: GPL-2.0-or-later
/* A vCPU that is elevated: may it stay so? */
#include "policy/vcpu.h"
#include "core/bucket.h"
#include "core/account.h"

/*
 * A bucket that is emptied within this many times the time it takes to refill was emptied by steady
 * demand, not by a burst.
 */
#define STEADY_REFILLS 4

/* The longest back-off, as a power of two of the time to refill: 20 ms for the latency profile. */
#define BACKOFF_SHIFT_MAX 3

/* How long ksoftirqd may wait behind an elevated vCPU. */
#define SOFTIRQD_WAIT_NS (1 * NSEC_PER_MSEC)

static void lower(struct policy *policy, unsigned int vcpu, enum policy_state state,
                  enum policy_reason reason, uint64_t now_ns, struct policy_decision *ret)
{
	ret->action = POLICY_LOWER;
	ret->reason = reason;
	policy_enter(&policy->vcpus[vcpu], state, reason, now_ns);
}

/* Its own bucket was emptied: by a burst, or by steady demand, which is made to wait ever longer.
 */
static void count_strike(struct policy_vcpu *v, uint64_t now_ns)
{
	uint64_t refill = policy_refill_ns(&v->profile, v->profile.burst_ns);

	if (now_ns - v->raised_at_ns > STEADY_REFILLS * refill) {
		v->strikes = 0;
		return;
	}
	v->strikes = MIN(v->strikes + 1, (unsigned int)BACKOFF_SHIFT_MAX);
	v->backoff_until_ns = now_ns + (refill << v->strikes);
	v->backoff_why = POLICY_REASON_BACKOFF;
}

/*
 * It stood in the way of others, who run now. If it had its boost back at its next halt it would do
 * the same to them again: it waits as if it had emptied its bucket.
 */
static void hold_off(struct policy_vcpu *v, enum policy_reason reason, uint64_t now_ns)
{
	v->backoff_until_ns = now_ns + policy_refill_ns(&v->profile, v->profile.burst_ns);
	v->backoff_why = reason;
}

static void exhausted(struct policy *policy, unsigned int vcpu, enum policy_reason reason,
                      bool strike, const struct policy_facts *facts, uint64_t now_ns,
                      struct policy_decision *ret)
{
	struct policy_vcpu *v = &policy->vcpus[vcpu];
	uint64_t until_ns = MAX(facts->full_at_ns, now_ns + 1);

	if (strike)
		count_strike(v, now_ns);
	if (reason == POLICY_REASON_HELPER || reason == POLICY_REASON_CANARY)
		hold_off(v, reason, now_ns);
	until_ns = MAX(until_ns, facts->domain_at_ns);
	until_ns = MAX(until_ns, facts->cpu_at_ns);
	until_ns = MAX(until_ns, v->backoff_until_ns);
	v->yielded = false;
	v->view.throttles_total++;
	v->view.denied_total[reason]++;
	lower(policy, vcpu, POLICY_THROTTLED, reason, now_ns, ret);
	policy_look_at(policy, vcpu, until_ns);
}

/*
 * Runs whose end the tracer's deadline may not see are watched by a timer: those it was raised in,
 * those during which ksoftirqd waits, and what a command gave. Of a guest that asks, nobody else
 * sees in such a run that it has become ordinary.
 */
void policy_watch_run(struct policy *policy, unsigned int vcpu, const struct policy_facts *facts,
                      uint64_t now_ns)
{
	struct policy_vcpu *v = &policy->vcpus[vcpu];
	bool running = facts->whereabouts == POLICY_RUNNING;
	uint64_t at_ns = v->view.next_ns;

	v->caught_awake = v->caught_awake && running && !facts->watched;
	if (!running && facts->whereabouts != POLICY_WAITING) {
		v->urgent_from_ns = 0;
		v->declined = false;
	}
	at_ns = MIN(at_ns, policy_interrupt_look(v, facts, now_ns));
	if (v->caught_awake)
		at_ns = MIN(at_ns,
		            now_ns + (facts->tokens_ns > 0 ? (uint64_t)facts->tokens_ns : 1));
	if ((v->caught_awake || v->urgent_from_ns || v->declined) &&
	    facts->ask != PVSCHED_ASK_NONE && !v->yield_declined)
		at_ns = MIN(at_ns, policy_yield_look(v, facts, now_ns));
	/* nobody else sees a request lapse, or be taken back, of one that must have one */
	if (v->profile.asks == PROFILE_ASKS_REQUIRE)
		at_ns = MIN(at_ns, now_ns + PVSCHED_REQUEST_LEASE_NS);
	if (running && facts->softirqd_since_ns)
		at_ns = MIN(at_ns, now_ns + SOFTIRQD_WAIT_NS);
	/* in the run that it was raised in the tracer looks at those that come, not at those there
	 */
	if (v->caught_awake && facts->helper_waits)
		at_ns = MIN(at_ns,
		            now_ns + PVS_HELPER_WAIT_NS -
		                    MIN(facts->helper_behind_ns, (uint64_t)PVS_HELPER_WAIT_NS - 1));
	if (facts->whereabouts == POLICY_WAITING)
		at_ns = MIN(at_ns, now_ns + PVS_UNSEEN_NS);
	if (v->command_until_ns > now_ns)
		at_ns = MIN(at_ns, v->command_until_ns);
	policy_look_at(policy, vcpu, at_ns);
}

static bool starves_softirqd(const struct policy_facts *facts, uint64_t now_ns)
{
	return facts->whereabouts == POLICY_RUNNING && facts->softirqd_since_ns &&
	       now_ns - facts->softirqd_since_ns >= SOFTIRQD_WAIT_NS;
}

/* Given back before its tokens end: it is armed again at its next halt, or when it is wanted. */
static void give_back(struct policy *policy, unsigned int vcpu, enum policy_reason reason,
                      const struct policy_facts *facts, uint64_t now_ns,
                      struct policy_decision *ret)
{
	struct policy_vcpu *v = &policy->vcpus[vcpu];

	v->yielded = true;
	v->view.yields_total += reason == POLICY_REASON_ORDINARY;
	lower(policy, vcpu, POLICY_BASE, reason, now_ns, ret);
	ret->report_halt = true;
	v->expected_look_ns = policy_expected_look(v, facts, now_ns);
	policy_look_at(policy, vcpu, v->expected_look_ns);
}

/*
 * As a fair thread it can let another vCPU of its guest go first, and for so long it may, a slice
 * of the fair class or two: then the lock, or what else it waited for, is likely to be free. Twice
 * as long each time that it spins again within SPIN_AGAIN_NS of that.
 */
#define SPIN_HOLD_NS   (2 * NSEC_PER_MSEC)
#define SPIN_AGAIN_NS  (100 * NSEC_PER_MSEC)
#define SPIN_SHIFT_MAX 3

static void spins(struct policy *policy, unsigned int vcpu, const struct policy_facts *facts,
                  uint64_t now_ns, struct policy_decision *ret)
{
	struct policy_vcpu *v = &policy->vcpus[vcpu];

	if (now_ns > v->spin_until_ns + SPIN_AGAIN_NS)
		v->spins = 0;
	v->spin_until_ns = now_ns + (SPIN_HOLD_NS << v->spins);
	v->spins = MIN(v->spins + 1, (unsigned int)SPIN_SHIFT_MAX);
	v->view.spins_total++;
	v->view.denied_total[POLICY_REASON_SPIN]++;
	give_back(policy, vcpu, POLICY_REASON_SPIN, facts, now_ns, ret);
	ret->report_halt = false; /* it may not be armed before, whatever it does */
	policy_look_at(policy, vcpu, v->spin_until_ns);
}

/* What a command gave ends, unless it would be elevated without it. */
static bool command_over(struct policy_vcpu *v, const struct policy_facts *facts, uint64_t now_ns)
{
	if (!v->command_until_ns || v->command_until_ns > now_ns)
		return false;
	v->command_until_ns = 0;
	return v->view.reason == POLICY_REASON_COMMAND && facts->whereabouts != POLICY_HALTED;
}

/* So soon it is looked at whether it has gone: several times what the kernel takes for it. */
#define DISPLACED_LOOK_NS (100 * NSEC_PER_USEC)

/*
 * What it takes the booster, in real time. In the long run no more than that share of one CPU is
 * spent on it; but where many gathered, some must go at once, or as many are lowered.
 */
#define DISPLACE_COST_NS (60 * NSEC_PER_USEC)
static const struct pvs_bucket_rule displace_rule = {
        .burst_ns = 1 * NSEC_PER_MSEC,
        .share_permille = 30,
};

bool policy_may_displace(const struct policy *policy, unsigned int vcpu, uint64_t now_ns)
{
	const struct policy_vcpu *v = &policy->vcpus[vcpu];
	const struct host_caps *caps = &policy->caps;
	uint64_t refill_ns = caps->cpu_burst_ns * 1000 / MAX(caps->cpu_share_permille, UINT32_C(1));

	if (policy_holds(policy, vcpu))
		return false;
	/* it would come back to a CPU that it has just emptied: not before that can be full again
	 */
	if (v->displaced_ns && now_ns < v->displaced_ns + refill_ns)
		return false;
	return pvs_bucket_tokens(&displace_rule, policy->displace_repaid_at_ns, now_ns) >=
	       (int64_t)DISPLACE_COST_NS;
}

/*
 * The shares of the vCPUs that may run on a set of CPUs are bounded together, as if they were
 * spread over them. The kernel moves real-time threads only when two of them meet: those that never
 * do stay on one CPU for ever, whose bucket is emptied while the others' are full.
 */
static void leave_crowd(struct policy *policy, unsigned int vcpu, const struct policy_facts *facts,
                        uint64_t now_ns, struct policy_decision *ret)
{
	struct policy_vcpu *v = &policy->vcpus[vcpu];
	bool awake = facts->whereabouts == POLICY_RUNNING || facts->whereabouts == POLICY_WAITING;
	/* who came to tell of it preempted it, and the kernel has taken it elsewhere for that */
	bool is_gone = facts->tokens_ns > PVS_TOKENS_MIN_NS;

	if (!awake || policy_holds(policy, vcpu))
		return;
	if (!is_gone && (!facts->room_elsewhere || !policy_may_displace(policy, vcpu, now_ns)))
		return;
	if (!is_gone) {
		v->displaced_ns = now_ns;
		policy->displace_repaid_at_ns = pvs_bucket_charge(
		        &displace_rule, policy->displace_repaid_at_ns, now_ns, DISPLACE_COST_NS);
	}
	v->view.displaced_total++;
	v->caught_awake = true; /* nobody watches this run, should it go on */
	ret->action = POLICY_DISPLACE;
	policy_look_at(policy, vcpu, MIN(v->view.next_ns, now_ns + DISPLACED_LOOK_NS));
}

/* Still allowed to be elevated? */
static void reconsider(struct policy *policy, unsigned int vcpu, const struct policy_facts *facts,
                       uint64_t now_ns, struct policy_decision *ret)
{
	struct policy_vcpu *v = &policy->vcpus[vcpu];
	uint32_t holds = policy_holds(policy, vcpu);
	bool commanded = v->command_until_ns > now_ns;

	policy_look_at(policy, vcpu, NSEC_NEVER);
	v->yield_declined = false;
	if (holds)
		lower(policy, vcpu, POLICY_BASE, policy_strongest(holds), now_ns, ret);
	else if (v->profile.mode != PROFILE_BOOST)
		lower(policy, vcpu, POLICY_BASE, POLICY_REASON_PROFILE, now_ns, ret);
	else if (facts->quota)
		lower(policy, vcpu, POLICY_BASE, POLICY_REASON_QUOTA, now_ns, ret);
	else if (facts->whereabouts == POLICY_RUNNING && facts->tokens_ns <= 0)
		exhausted(policy, vcpu, POLICY_REASON_BUDGET, true, facts, now_ns, ret);
	else if (facts->waited_ns >= PVS_UNSEEN_NS)
		exhausted(policy, vcpu, POLICY_REASON_UNSEEN, false, facts, now_ns, ret);
	else if (starves_softirqd(facts, now_ns))
		exhausted(policy, vcpu, POLICY_REASON_SOFTIRQ, false, facts, now_ns, ret);
	else if (policy_starves_helper(facts))
		exhausted(policy, vcpu, POLICY_REASON_HELPER, false, facts, now_ns, ret);
	else if (v->profile.asks == PROFILE_ASKS_REQUIRE && facts->ask == PVSCHED_ASK_NONE &&
	         !commanded)
		give_back(policy, vcpu, POLICY_REASON_UNASKED, facts, now_ns, ret);
	else if (command_over(v, facts, now_ns))
		give_back(policy, vcpu, POLICY_REASON_AWAKE, facts, now_ns, ret);
	else if (!commanded && policy_interrupt_over(v, facts))
		give_back(policy, vcpu, POLICY_REASON_AWAKE, facts, now_ns, ret);
	else if (policy_yields(policy, vcpu, facts, now_ns))
		give_back(policy, vcpu, POLICY_REASON_ORDINARY, facts, now_ns, ret);
	else
		policy_watch_run(policy, vcpu, facts, now_ns);
}

void policy_step_elevated(struct policy *policy, unsigned int vcpu, enum policy_event event,
                          const struct policy_facts *facts, uint64_t now_ns,
                          struct policy_decision *ret)
{
	struct policy_vcpu *v = &policy->vcpus[vcpu];

	switch (event) {
	case POLICY_EVENT_LOOK:
	case POLICY_EVENT_HALTED:
	case POLICY_EVENT_RESCAN:
	case POLICY_EVENT_SOFTIRQD:
	case POLICY_EVENT_URGENT:
	case POLICY_EVENT_ORDINARY:
	case POLICY_EVENT_HELPER:
	case POLICY_EVENT_INTERRUPT: /* raised already: one event, one boost */
		reconsider(policy, vcpu, facts, now_ns, ret);
		return;
	case POLICY_EVENT_CANARY:
		/* who owes nothing has taken nothing that ordinary threads lack */
		if (facts->full_at_ns > now_ns)
			exhausted(policy, vcpu, POLICY_REASON_CANARY, false, facts, now_ns, ret);
		else
			reconsider(policy, vcpu, facts, now_ns, ret);
		return;
	case POLICY_EVENT_EXHAUSTED:
		exhausted(policy, vcpu, POLICY_REASON_BUDGET, true, facts, now_ns, ret);
		return;
	case POLICY_EVENT_DOMAIN_EXHAUSTED:
		exhausted(policy, vcpu, POLICY_REASON_DOMAIN_CAP, false, facts, now_ns, ret);
		return;
	case POLICY_EVENT_CPU_EXHAUSTED:
		exhausted(policy, vcpu, POLICY_REASON_CPU_CAP, false, facts, now_ns, ret);
		return;
	case POLICY_EVENT_NO_DEADLINE:
		exhausted(policy, vcpu, POLICY_REASON_NO_DEADLINE, false, facts, now_ns, ret);
		return;
	case POLICY_EVENT_UNSEEN:
		exhausted(policy, vcpu, POLICY_REASON_UNSEEN, false, facts, now_ns, ret);
		return;
	case POLICY_EVENT_SHED:
		exhausted(policy, vcpu, POLICY_REASON_CPU_CAP, true, facts, now_ns, ret);
		return;
	case POLICY_EVENT_CROWDED:
		leave_crowd(policy, vcpu, facts, now_ns, ret);
		return;
	case POLICY_EVENT_SPIN:
		spins(policy, vcpu, facts, now_ns, ret);
		return;
	case POLICY_EVENT_FOREIGN:
		ret->action = POLICY_FORGET;
		ret->reason = POLICY_REASON_FOREIGN;
		v->view.denied_total[POLICY_REASON_FOREIGN]++;
		policy_enter(v, POLICY_FOREIGN, POLICY_REASON_FOREIGN, now_ns);
		policy_look_at(policy, vcpu, NSEC_NEVER);
		return;
	case _POLICY_EVENT_MAX:
		return;
	}
}
