// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/policy.h"

#include <stdlib.h>

#include "policy/timers.h"
#include "pvsched/bucket.h"

/*
 * A bucket that is emptied within this many times the time it takes to refill was emptied by steady
 * demand, not by a burst.
 */
#define STEADY_REFILLS 4

/* The longest back-off, as a power of two of the time to refill: 20 ms for the latency profile. */
#define BACKOFF_SHIFT_MAX 3

/*
 * A halt that is over before the booster has looked is too short to arm in. One that does nothing
 * else would wake the booster thousands of times a second for nothing: it is asked about ever less
 * often.
 */
#define SHORT_HALT_NS        (1 * NSEC_PER_MSEC)
#define SHORT_HALT_SHIFT_MAX 4

/* How long ksoftirqd may wait behind an elevated vCPU. */
#define SOFTIRQD_WAIT_NS (1 * NSEC_PER_MSEC)

/* A tenth of a second's changes may come at once. */
#define RATE_BURST_NS (NSEC_PER_SEC / 10)

struct policy_vcpu {
	bool present;
	struct profile profile;
	uint32_t holds;
	bool caught_awake;        /* raised while it ran: nobody but us watches this run's end */
	unsigned int short_halts; /* in a row */
	unsigned int strikes;     /* buckets emptied in a row by steady demand */
	uint64_t raised_at_ns;
	uint64_t backoff_until_ns;
	uint64_t rate_repaid_at_ns; /* bucket of changes */
	struct policy_view view;
};

struct policy {
	unsigned int n_vcpus;
	uint32_t holds; /* of everybody */
	struct host_caps caps;
	struct timers *timers;
	struct policy_vcpu *vcpus;
};

struct policy *policy_new(unsigned int n_vcpus, const struct host_caps *caps)
{
	struct policy *policy = calloc(1, sizeof(*policy));

	if (!policy)
		return NULL;
	policy->n_vcpus = n_vcpus;
	policy->timers = timers_new(n_vcpus);
	policy->vcpus = calloc(n_vcpus, sizeof(*policy->vcpus));
	if (!policy->timers || !policy->vcpus)
		return policy_free(policy);
	policy_set_caps(policy, caps);
	return policy;
}

struct policy *policy_free(struct policy *policy)
{
	if (!policy)
		return NULL;
	timers_free(policy->timers);
	free(policy->vcpus);
	free(policy);
	return NULL;
}

void policy_set_caps(struct policy *policy, const struct host_caps *caps)
{
	policy->caps = *caps;
}

void policy_hold_all(struct policy *policy, uint32_t holds)
{
	policy->holds = holds;
}

void policy_add(struct policy *policy, unsigned int vcpu, const struct profile *profile,
                uint32_t holds, uint64_t now_ns)
{
	policy->vcpus[vcpu] = (struct policy_vcpu){
	        .present = true,
	        .profile = *profile,
	        .holds = holds,
	        .view = {.state = POLICY_BASE,
	                 .reason = POLICY_REASON_PROFILE,
	                 .since_ns = now_ns,
	                 .next_ns = NSEC_NEVER},
	};
	timers_set(policy->timers, vcpu, NSEC_NEVER);
}

void policy_remove(struct policy *policy, unsigned int vcpu)
{
	policy->vcpus[vcpu].present = false;
	timers_set(policy->timers, vcpu, NSEC_NEVER);
}

void policy_set_profile(struct policy *policy, unsigned int vcpu, const struct profile *profile)
{
	policy->vcpus[vcpu].profile = *profile;
}

void policy_hold(struct policy *policy, unsigned int vcpu, uint32_t set, uint32_t clear)
{
	policy->vcpus[vcpu].holds = (policy->vcpus[vcpu].holds & ~clear) | set;
}

uint32_t policy_holds(const struct policy *policy, unsigned int vcpu)
{
	return policy->holds | policy->vcpus[vcpu].holds;
}

/* When it is looked at again without an event. */
static void look_at(struct policy *policy, unsigned int vcpu, uint64_t at_ns)
{
	policy->vcpus[vcpu].view.next_ns = at_ns;
	timers_set(policy->timers, vcpu, at_ns);
}

static void enter(struct policy_vcpu *v, enum policy_state state, enum policy_reason reason,
                  uint64_t now_ns)
{
	if (v->view.state != state)
		v->view.since_ns = now_ns;
	v->view.state = state;
	v->view.reason = reason;
}

static enum policy_reason strongest(uint32_t holds)
{
	return (enum policy_reason)__builtin_ctz(holds);
}

/* The time an empty bucket takes to fill. */
static uint64_t refill_ns(const struct profile *profile)
{
	return profile->burst_ns * 1000 / MAX(profile->share_permille, UINT32_C(1));
}

static uint64_t change_cost_ns(const struct policy *policy)
{
	return NSEC_PER_SEC / MAX(policy->caps.max_changes_per_s, UINT32_C(1));
}

/* One change must fit in, also where fewer than one in RATE_BURST_NS are allowed. */
static struct pvs_bucket_rule rate_rule(const struct policy *policy)
{
	uint64_t burst_ns = MAX(RATE_BURST_NS, change_cost_ns(policy));

	return (struct pvs_bucket_rule){.burst_ns = burst_ns, .share_permille = 1000};
}

/*
 * Why it may not be armed now, and when that may have changed (NSEC_NEVER: an event will tell).
 * POLICY_REASON_WITHIN when it may.
 */
static enum policy_reason obstacle(const struct policy *policy, const struct policy_vcpu *v,
                                   uint32_t holds, const struct policy_facts *facts,
                                   uint64_t now_ns, uint64_t *until_ns)
{
	struct pvs_bucket_rule rate = rate_rule(policy);
	int64_t changes_ns = pvs_bucket_tokens(&rate, v->rate_repaid_at_ns, now_ns);

	*until_ns = NSEC_NEVER;
	if (holds)
		return strongest(holds);
	if (v->profile.mode != PROFILE_BOOST)
		return POLICY_REASON_PROFILE;
	if (facts->quota)
		return POLICY_REASON_QUOTA;
	if (v->backoff_until_ns > now_ns) {
		*until_ns = MAX(v->backoff_until_ns, facts->full_at_ns);
		return POLICY_REASON_BACKOFF;
	}
	if (facts->full_at_ns > now_ns) {
		*until_ns = facts->full_at_ns;
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
	if (changes_ns < (int64_t)change_cost_ns(policy)) {
		*until_ns = now_ns + change_cost_ns(policy);
		return POLICY_REASON_RATE;
	}
	if (facts->whereabouts != POLICY_HALTED)
		return POLICY_REASON_AWAKE;
	return POLICY_REASON_WITHIN;
}

/* In base or throttled: arm it if nothing is in the way, else wait for what is. */
static void consider(struct policy *policy, unsigned int vcpu, enum policy_event event,
                     const struct policy_facts *facts, uint64_t now_ns, struct policy_decision *ret)
{
	struct policy_vcpu *v = &policy->vcpus[vcpu];
	struct pvs_bucket_rule rate = rate_rule(policy);
	bool owes;
	uint64_t until_ns;
	enum policy_reason reason =
	        obstacle(policy, v, policy_holds(policy, vcpu), facts, now_ns, &until_ns);

	ret->reason = reason;
	if (reason == POLICY_REASON_WITHIN) {
		v->rate_repaid_at_ns = pvs_bucket_charge(&rate, v->rate_repaid_at_ns, now_ns,
		                                         change_cost_ns(policy));
		v->raised_at_ns = now_ns;
		v->short_halts = 0;
		ret->action = POLICY_RAISE;
		look_at(policy, vcpu, NSEC_NEVER);
		return;
	}
	owes = reason == POLICY_REASON_BUDGET || reason == POLICY_REASON_BACKOFF;
	if (reason != POLICY_REASON_AWAKE) {
		if (reason != POLICY_REASON_PROFILE) /* nobody asked for a boost there */
			v->view.denied_total[reason]++;
	} else if (event == POLICY_EVENT_HALTED) {
		until_ns = now_ns + (SHORT_HALT_NS << v->short_halts);
		v->short_halts = MIN(v->short_halts + 1, (unsigned int)SHORT_HALT_SHIFT_MAX);
	} else {
		ret->report_halt = true;
	}
	enter(v, owes ? POLICY_THROTTLED : POLICY_BASE, reason, now_ns);
	look_at(policy, vcpu, until_ns);
}

static void lower(struct policy *policy, unsigned int vcpu, enum policy_state state,
                  enum policy_reason reason, uint64_t now_ns, struct policy_decision *ret)
{
	ret->action = POLICY_LOWER;
	ret->reason = reason;
	enter(&policy->vcpus[vcpu], state, reason, now_ns);
}

/* Its own bucket was emptied: by a burst, or by steady demand, which is made to wait ever longer.
 */
static void count_strike(struct policy_vcpu *v, uint64_t now_ns)
{
	uint64_t refill = refill_ns(&v->profile);

	if (now_ns - v->raised_at_ns > STEADY_REFILLS * refill) {
		v->strikes = 0;
		return;
	}
	v->strikes = MIN(v->strikes + 1, (unsigned int)BACKOFF_SHIFT_MAX);
	v->backoff_until_ns = now_ns + (refill << v->strikes);
}

static void exhausted(struct policy *policy, unsigned int vcpu, enum policy_reason reason,
                      bool strike, const struct policy_facts *facts, uint64_t now_ns,
                      struct policy_decision *ret)
{
	struct policy_vcpu *v = &policy->vcpus[vcpu];
	uint64_t until_ns = MAX(facts->full_at_ns, now_ns + 1);

	if (strike)
		count_strike(v, now_ns);
	until_ns = MAX(until_ns, facts->domain_at_ns);
	until_ns = MAX(until_ns, facts->cpu_at_ns);
	until_ns = MAX(until_ns, v->backoff_until_ns);
	v->view.denied_total[reason]++;
	lower(policy, vcpu, POLICY_THROTTLED, reason, now_ns, ret);
	look_at(policy, vcpu, until_ns);
}

/*
 * Runs whose end the tracer's deadline may not see are watched by a timer: those it was raised in,
 * and those during which ksoftirqd waits.
 */
static void watch_run(struct policy *policy, unsigned int vcpu, const struct policy_facts *facts,
                      uint64_t now_ns)
{
	struct policy_vcpu *v = &policy->vcpus[vcpu];
	bool running = facts->whereabouts == POLICY_RUNNING;
	uint64_t left_ns = facts->tokens_ns > 0 ? (uint64_t)facts->tokens_ns : 1;

	v->caught_awake = v->caught_awake && running;
	if (running && facts->softirqd_since_ns)
		left_ns = MIN(left_ns, SOFTIRQD_WAIT_NS);
	else if (!v->caught_awake)
		return;
	look_at(policy, vcpu, now_ns + left_ns);
}

static bool starves_softirqd(const struct policy_facts *facts, uint64_t now_ns)
{
	return facts->whereabouts == POLICY_RUNNING && facts->softirqd_since_ns &&
	       now_ns - facts->softirqd_since_ns >= SOFTIRQD_WAIT_NS;
}

/* Still allowed to be elevated? */
static void reconsider(struct policy *policy, unsigned int vcpu, const struct policy_facts *facts,
                       uint64_t now_ns, struct policy_decision *ret)
{
	struct policy_vcpu *v = &policy->vcpus[vcpu];
	uint32_t holds = policy_holds(policy, vcpu);

	look_at(policy, vcpu, NSEC_NEVER);
	if (holds)
		lower(policy, vcpu, POLICY_BASE, strongest(holds), now_ns, ret);
	else if (v->profile.mode != PROFILE_BOOST)
		lower(policy, vcpu, POLICY_BASE, POLICY_REASON_PROFILE, now_ns, ret);
	else if (facts->quota)
		lower(policy, vcpu, POLICY_BASE, POLICY_REASON_QUOTA, now_ns, ret);
	else if (facts->whereabouts == POLICY_RUNNING && facts->tokens_ns <= 0)
		exhausted(policy, vcpu, POLICY_REASON_BUDGET, true, facts, now_ns, ret);
	else if (starves_softirqd(facts, now_ns))
		exhausted(policy, vcpu, POLICY_REASON_SOFTIRQ, false, facts, now_ns, ret);
	else
		watch_run(policy, vcpu, facts, now_ns);
}

static void step_elevated(struct policy *policy, unsigned int vcpu, enum policy_event event,
                          const struct policy_facts *facts, uint64_t now_ns,
                          struct policy_decision *ret)
{
	struct policy_vcpu *v = &policy->vcpus[vcpu];

	switch (event) {
	case POLICY_EVENT_LOOK:
	case POLICY_EVENT_HALTED:
	case POLICY_EVENT_RESCAN:
	case POLICY_EVENT_SOFTIRQD:
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
	case POLICY_EVENT_SHED:
		exhausted(policy, vcpu, POLICY_REASON_CPU_CAP, true, facts, now_ns, ret);
		return;
	case POLICY_EVENT_FOREIGN:
		ret->action = POLICY_FORGET;
		ret->reason = POLICY_REASON_FOREIGN;
		v->view.denied_total[POLICY_REASON_FOREIGN]++;
		enter(v, POLICY_FOREIGN, POLICY_REASON_FOREIGN, now_ns);
		look_at(policy, vcpu, NSEC_NEVER);
		return;
	case _POLICY_EVENT_MAX:
		return;
	}
}

/* Holds that the world, not an admin, set: worth another try when the world has changed. */
#define HOLDS_OF_TRIES                                                                             \
	(POLICY_HOLD(POLICY_REASON_RT_REFUSED) | POLICY_HOLD(POLICY_REASON_ALREADY_RT) |           \
	 POLICY_HOLD(POLICY_REASON_FAILED))

void policy_step(struct policy *policy, unsigned int vcpu, enum policy_event event,
                 const struct policy_facts *facts, uint64_t now_ns, struct policy_decision *ret)
{
	struct policy_vcpu *v = &policy->vcpus[vcpu];

	*ret = (struct policy_decision){.action = POLICY_NOTHING, .reason = v->view.reason};
	if (!v->present) {
		timers_set(policy->timers, vcpu, NSEC_NEVER);
		return;
	}
	if (event == POLICY_EVENT_RESCAN)
		v->holds &= ~HOLDS_OF_TRIES;
	switch (v->view.state) {
	case POLICY_ARMED:
		step_elevated(policy, vcpu, event, facts, now_ns, ret);
		return;
	case POLICY_FOREIGN:
		look_at(policy, vcpu, NSEC_NEVER);
		if (event != POLICY_EVENT_RESCAN)
			return;
		enter(v, POLICY_BASE, POLICY_REASON_AWAKE, now_ns);
		consider(policy, vcpu, event, facts, now_ns, ret);
		return;
	case POLICY_BASE:
	case POLICY_THROTTLED:
		consider(policy, vcpu, event, facts, now_ns, ret);
		return;
	case _POLICY_STATE_MAX:
		return;
	}
}

void policy_raised(struct policy *policy, unsigned int vcpu, uint32_t hold,
                   const struct policy_facts *facts, uint64_t now_ns)
{
	struct policy_vcpu *v = &policy->vcpus[vcpu];

	if (hold) {
		v->holds |= hold;
		v->view.denied_total[strongest(hold)]++;
		enter(v, POLICY_BASE, strongest(hold), now_ns);
		return;
	}
	v->view.boosts_total++;
	enter(v, POLICY_ARMED, POLICY_REASON_WITHIN, now_ns);
	v->caught_awake = true;
	watch_run(policy, vcpu, facts, now_ns);
}

uint64_t policy_next_ns(const struct policy *policy)
{
	return timers_first(policy->timers, NULL);
}

int policy_due(const struct policy *policy, uint64_t now_ns)
{
	unsigned int vcpu;
	uint64_t first_ns = timers_first(policy->timers, &vcpu);

	return first_ns != NSEC_NEVER && first_ns <= now_ns ? (int)vcpu : -1;
}

const struct policy_view *policy_view(const struct policy *policy, unsigned int vcpu)
{
	return &policy->vcpus[vcpu].view;
}

int policy_debtor(const struct policy_claim *claims, size_t n)
{
	int most = -1;

	for (size_t i = 0; i < n; i++)
		if (most < 0 || claims[i].owed_ns > claims[most].owed_ns)
			most = (int)i;
	return most;
}
