// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/evaluation.h"

#include <stdlib.h>

#include "boost/sched.h"
#include "daemon/delays.h"
#include "daemon/report_windows.h"
#include "daemon/vcpu_snapshot.h"
#include "policy/harm.h"
#include "util/clock.h"

#define WINDOW 1 /* a minute: about as old as a full sample is */

/* One vCPU, by what it had then. */
struct kept {
	struct thread_id id; /* slots are used again */
	struct profile profile;
	struct recommend_limits limits;
	struct evaluation evaluation;
};

struct evaluations {
	struct kept *kept[PVS_VCPUS_MAX]; /* by slot; NULL: it was not asked about yet */
	struct evaluation last;           /* of one that is not traced */
	struct demand demand;             /* scratch: it is large */
};

struct evaluations *evaluations_new(void)
{
	return calloc(1, sizeof(struct evaluations));
}

struct evaluations *evaluations_free(struct evaluations *evaluations)
{
	for (unsigned int slot = 0; evaluations && slot < PVS_VCPUS_MAX; slot++)
		free(evaluations->kept[slot]);
	free(evaluations);
	return NULL;
}

/* ---- what was observed ---- */

struct recommend_limits evaluation_limits(const struct views *views,
                                          const struct inventory_domain *domain)
{
	const struct plan_domain *plan = planning_domain(views->planning, domain);
	const struct host_caps *caps = &config_host(views->config)->caps;
	uint32_t cpu_permille = MIN(caps->cpu_share_permille, views->sheet_permille);
	uint64_t burst_ns = MIN(caps->domain_burst_ns, caps->cpu_burst_ns);

	if (plan->learns)
		return plan->limits;
	return (struct recommend_limits){
	        .burst_ns = MIN(burst_ns, (uint64_t)PROFILE_BURST_NS_MAX),
	        .share_permille = MIN(caps->domain_share_permille, cpu_permille),
	};
}

static const struct profile *profile_of(const struct views *views,
                                        const struct inventory_domain *domain,
                                        const struct inventory_vcpu *vcpu)
{
	const struct profile *profile =
	        vcpu->slot != SLOT_NONE ? apply_profile(views->apply, vcpu->slot) : NULL;

	return profile ? profile : &planning_domain(views->planning, domain)->profile;
}

/* The booster finds that out when it boosts. Where nothing is boosted it is looked up here. */
static bool is_realtime(const struct inventory_vcpu *vcpu)
{
	struct sched_state state;

	return sched_get_class(vcpu->thread.id.tid, &state) == 0 && sched_is_realtime(&state);
}

static void observe_holds(const struct inventory_vcpu *vcpu, const struct vcpu_snapshot *snapshot,
                          struct recommend_facts *facts)
{
	facts->traced = snapshot->traced;
	facts->reason = snapshot->untraced;
	if (!facts->traced)
		return;
	/* those of comparisons end by themselves */
	facts->holds = snapshot->booster.holds & ~HARM_HOLDS;
	if (!facts->boosts && is_realtime(vcpu))
		facts->holds |= POLICY_HOLD(POLICY_REASON_ALREADY_RT);
	if (facts->holds)
		facts->reason = (enum policy_reason)__builtin_ctz(facts->holds);
}

static void observe_window(const struct views *views, const struct inventory_vcpu *vcpu,
                           const struct vcpu_snapshot *snapshot, struct recommend_facts *facts)
{
	struct window_view window;
	uint64_t length_ns;

	if (!report_window(views, vcpu, snapshot, WINDOW, &window))
		return;
	length_ns = snapshot->taken_ns - window.since_ns;
	facts->wakeups = window.wakeups;
	facts->boosted = window.wakeups_boosted;
	facts->wait_us = delays_percentile_us(window.wait_counts, DEMAND_GOAL_PERMILLE);
	facts->run_permille = length_ns ? (uint32_t)(window.run_ns * 1000 / length_ns) : 0;
}

static unsigned int count_cpus(const struct cpu_set_bits *set)
{
	unsigned int n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(set->words); i++)
		n += (unsigned int)__builtin_popcountll(set->words[i]);
	return n;
}

static void observe_demand(const struct views *views, const struct inventory_vcpu *vcpu,
                           const struct vcpu_snapshot *snapshot, struct demand *ret)
{
	struct pvs_prices prices = account_prices(views->accounts);
	struct pvs_demand raw = {0};

	if (!snapshot->traced || !views->tracer ||
	    tracer_read_demand(views->tracer, vcpu->slot, &raw) < 0)
		raw = (struct pvs_demand){0};
	demand_read(&raw, snapshot->account.halts, &prices, ret);
}

static void evaluate(const struct views *views, const struct inventory_vcpu *vcpu,
                     const struct profile *profile, const struct recommend_limits *limits,
                     struct evaluation *ret)
{
	struct demand *demand = &views->evaluations->demand;
	struct vcpu_snapshot snapshot;

	vcpu_snapshot_take(views, vcpu, &snapshot);
	*ret = (struct evaluation){
	        .taken_ns = snapshot.taken_ns,
	        .facts = {.boosts = profile->mode == PROFILE_BOOST &&
	                            (profile->levers & PROFILE_LEVER_RT),
	                  .one_cpu = count_cpus(&vcpu->affinity) == 1,
	                  .rule = {.burst_ns = profile->burst_ns,
	                           .share_permille = profile->share_permille},
	                  .limits = *limits,
	                  .demand = demand},
	};
	observe_holds(vcpu, &snapshot, &ret->facts);
	observe_window(views, vcpu, &snapshot, &ret->facts);
	observe_demand(views, vcpu, &snapshot, demand);
	if (snapshot.account.entitled_permille)
		ret->facts.entitled_permille = demand_entitled_permille(demand);
	ret->recommend = recommend_vcpu(&ret->facts);
	ret->lacks_tokens = recommend_lacks_tokens(&ret->facts, &ret->recommend);
	ret->late_permille = demand_late_permille(demand);
	ret->wakeups = demand->wakeups;
	ret->since_ns = demand->since_ns;
	ret->facts.demand = NULL;
}

/* ---- what is kept ---- */

static bool is_good(const struct kept *kept, const struct inventory_vcpu *vcpu,
                    const struct profile *profile, const struct recommend_limits *limits)
{
	return thread_id_equal(&kept->id, &vcpu->thread.id) &&
	       profile_equal(&kept->profile, profile) &&
	       kept->limits.burst_ns == limits->burst_ns &&
	       kept->limits.share_permille == limits->share_permille &&
	       clock_now_ns() - kept->evaluation.taken_ns < EVALUATION_AGE_NS;
}

const struct evaluation *evaluation_of(const struct views *views,
                                       const struct inventory_domain *domain,
                                       const struct inventory_vcpu *vcpu)
{
	const struct recommend_limits limits = evaluation_limits(views, domain);
	const struct profile *profile = profile_of(views, domain, vcpu);
	struct evaluations *all = views->evaluations;
	struct kept *kept = NULL;

	if (vcpu->slot != SLOT_NONE && !all->kept[vcpu->slot])
		all->kept[vcpu->slot] = calloc(1, sizeof(*kept));
	if (vcpu->slot != SLOT_NONE)
		kept = all->kept[vcpu->slot];
	if (!kept) { /* not traced, or memory is out */
		evaluate(views, vcpu, profile, &limits, &all->last);
		return &all->last;
	}
	if (is_good(kept, vcpu, profile, &limits))
		return &kept->evaluation;
	kept->id = vcpu->thread.id;
	kept->profile = *profile;
	kept->limits = limits;
	evaluate(views, vcpu, profile, &limits, &kept->evaluation);
	return &kept->evaluation;
}
