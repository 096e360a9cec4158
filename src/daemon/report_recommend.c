// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/report_recommend.h"

#include <cjson/cJSON.h>

#include "boost/sched.h"
#include "daemon/delays.h"
#include "daemon/report_json.h"
#include "daemon/report_windows.h"
#include "daemon/vcpu_snapshot.h"
#include "daemon/windows.h"
#include "policy/recommend.h"

#define WINDOW 1 /* a minute: about as old as a full sample is */

/* One vCPU as it was observed; facts.demand points to the sample. */
struct observed {
	struct demand demand;
	struct recommend_facts facts;
	uint64_t now_ns;
};

static struct recommend_limits limits_of(const struct views *views)
{
	const struct host_caps *caps = &config_host(views->config)->caps;
	uint32_t cpu_permille = MIN(caps->cpu_share_permille, views->sheet_permille);
	uint64_t burst_ns = MIN(caps->domain_burst_ns, caps->cpu_burst_ns);

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
	facts->holds = snapshot->booster.holds;
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

static void observe(const struct views *views, const struct inventory_domain *domain,
                    const struct inventory_vcpu *vcpu, struct observed *ret)
{
	const struct profile *profile = profile_of(views, domain, vcpu);
	struct recommend_facts *facts = &ret->facts;
	struct vcpu_snapshot snapshot;
	struct pvs_demand raw = {0};

	vcpu_snapshot_take(views, vcpu, &snapshot);
	ret->now_ns = snapshot.taken_ns;
	*facts = (struct recommend_facts){
	        .boosts = profile->mode == PROFILE_BOOST && (profile->levers & PROFILE_LEVER_RT),
	        .one_cpu = count_cpus(&vcpu->affinity) == 1,
	        .entitled_permille = snapshot.account.entitled_permille,
	        .rule = {.burst_ns = profile->burst_ns, .share_permille = profile->share_permille},
	        .limits = limits_of(views),
	        .demand = &ret->demand,
	};
	observe_holds(vcpu, &snapshot, facts);
	observe_window(views, vcpu, &snapshot, facts);
	if (!snapshot.traced || !views->tracer ||
	    tracer_read_demand(views->tracer, vcpu->slot, &raw) < 0)
		raw = (struct pvs_demand){0};
	demand_read(&raw, snapshot.account.halts, &ret->demand);
}

/* ---- recommend ---- */

static void add_verdict(cJSON *object, const struct recommend *recommend)
{
	bool has_reason = recommend->verdict == RECOMMEND_HELD ||
	                  recommend->verdict == RECOMMEND_NOT_MEASURED;

	cJSON_AddStringToObject(object, "verdict", recommend_verdict_name(recommend->verdict));
	cJSON_AddStringToObject(object, "text", recommend_verdict_text(recommend->verdict));
	if (!has_reason)
		return;
	cJSON_AddStringToObject(object, "reason", policy_reason_name(recommend->reason));
	cJSON_AddStringToObject(object, "explanation", policy_reason_text(recommend->reason));
}

static void add_need(cJSON *object, const struct recommend *recommend)
{
	report_integer(object, "burst_us",
	               (int64_t)((recommend->burst_ns + NSEC_PER_USEC - 1) / NSEC_PER_USEC));
	report_integer(object, "share_permille", recommend->share_permille);
	report_integer(object, "covered_permille", recommend->covered_permille);
}

static void add_observed(cJSON *object, const struct observed *observed,
                         const struct recommend *recommend)
{
	uint64_t since_ns = observed->demand.since_ns;

	report_integer(object, "now_covered_permille", recommend->now_covered_permille);
	report_integer(object, "late_permille", demand_late_permille(&observed->demand));
	report_integer(object, "used_permille", recommend->used_permille);
	report_integer(object, "run_permille", observed->facts.run_permille);
	report_integer(object, "wait_p99_us", (int64_t)observed->facts.wait_us);
	report_integer(object, "wakeups", (int64_t)observed->demand.wakeups);
	report_integer(object, "seconds",
	               since_ns && since_ns < observed->now_ns
	                       ? (int64_t)((observed->now_ns - since_ns) / NSEC_PER_SEC)
	                       : 0);
}

static void add_limits(cJSON *object, const struct recommend_limits *limits)
{
	cJSON *member = cJSON_AddObjectToObject(object, "limits");

	report_integer(member, "burst_us", (int64_t)(limits->burst_ns / NSEC_PER_USEC));
	report_integer(member, "share_permille", limits->share_permille);
}

/* What is recommended is for a profile that boosts: the one it has, else the built-in one. */
static const char *profile_name(const struct views *views, const struct inventory_domain *d)
{
	const struct profile *profile = &planning_domain(views->planning, d)->profile;

	return profile->mode == PROFILE_BOOST ? profile->name : "latency";
}

static cJSON *report_one(const struct inventory_vcpu *vcpu, const struct observed *observed,
                         const struct recommend *recommend)
{
	cJSON *object = cJSON_CreateObject();

	report_integer(object, "vcpu", vcpu->thread.index);
	add_verdict(object, recommend);
	add_need(object, recommend);
	add_observed(object, observed, recommend);
	report_integer(object, "entitlement_permille", observed->facts.entitled_permille);
	return object;
}

struct cJSON *report_recommend(const struct views *views, const struct inventory_domain *domain)
{
	cJSON *root = cJSON_CreateObject(), *vcpus = cJSON_CreateArray();
	struct recommend whole = RECOMMEND_NONE, recommend;
	const struct recommend_limits limits = limits_of(views);
	struct observed observed;

	for (size_t i = 0; i < domain->n_vcpus; i++) {
		observe(views, domain, &domain->vcpus[i], &observed);
		recommend = recommend_vcpu(&observed.facts);
		recommend_join(&whole, &recommend);
		cJSON_AddItemToArray(vcpus, report_one(&domain->vcpus[i], &observed, &recommend));
	}
	report_add_name(root, "domain", domain);
	cJSON_AddStringToObject(root, "uuid", domain->seen->uuid);
	cJSON_AddStringToObject(root, "uuid_kind", domain_uuid_kind_name(domain->seen->uuid_kind));
	cJSON_AddStringToObject(root, "profile", profile_name(views, domain));
	add_verdict(root, &whole);
	add_need(root, &whole);
	report_integer(root, "used_permille", whole.used_permille);
	report_integer(root, "wakeups", (int64_t)whole.wakeups);
	add_limits(root, &limits);
	cJSON_AddItemToObject(root, "vcpus", vcpus);
	return root;
}

/* ---- show ---- */

void report_lacks_tokens(const struct views *views, const struct inventory_domain *domain,
                         struct cJSON *object)
{
	cJSON *array = cJSON_AddArrayToObject(object, "lacks_tokens"), *member;
	struct observed observed;
	uint64_t burst_ns;

	for (size_t i = 0; i < domain->n_vcpus; i++) {
		observe(views, domain, &domain->vcpus[i], &observed);
		if (!recommend_lacks_tokens(&observed.facts))
			continue;
		burst_ns = recommend_burst_ns(&observed.demand);
		member = cJSON_CreateObject();
		report_integer(member, "vcpu", domain->vcpus[i].thread.index);
		report_integer(member, "late_permille", demand_late_permille(&observed.demand));
		report_integer(member, "burst_us", (int64_t)(burst_ns / NSEC_PER_USEC));
		report_integer(member, "share_permille",
		               demand_share_permille(&observed.demand, burst_ns));
		cJSON_AddItemToArray(array, member);
	}
}
