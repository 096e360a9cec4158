// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/report_recommend.h"

#include <cjson/cJSON.h>

#include "daemon/evaluation.h"
#include "daemon/report_json.h"
#include "policy/recommend.h"

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

static void add_observed(cJSON *object, const struct evaluation *evaluation)
{
	const struct recommend *recommend = &evaluation->recommend;
	uint64_t since_ns = evaluation->since_ns, taken_ns = evaluation->taken_ns;

	report_integer(object, "now_covered_permille", recommend->now_covered_permille);
	report_integer(object, "late_permille", evaluation->late_permille);
	report_integer(object, "used_permille", recommend->used_permille);
	report_integer(object, "run_permille", evaluation->facts.run_permille);
	report_integer(object, "wait_p99_us", (int64_t)evaluation->facts.wait_us);
	report_integer(object, "wakeups", (int64_t)evaluation->wakeups);
	report_integer(object, "seconds",
	               since_ns && since_ns < taken_ns
	                       ? (int64_t)((taken_ns - since_ns) / NSEC_PER_SEC)
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
	const struct plan_domain *plan = planning_domain(views->planning, d);

	return plan->learns || plan->profile.mode == PROFILE_BOOST ? plan->profile.name : "latency";
}

static cJSON *report_one(const struct inventory_vcpu *vcpu, const struct evaluation *evaluation)
{
	cJSON *object = cJSON_CreateObject();

	report_integer(object, "vcpu", vcpu->thread.index);
	add_verdict(object, &evaluation->recommend);
	add_need(object, &evaluation->recommend);
	add_observed(object, evaluation);
	report_integer(object, "entitlement_permille", evaluation->facts.entitled_permille);
	return object;
}

struct cJSON *report_recommend(const struct views *views, const struct inventory_domain *domain)
{
	cJSON *root = cJSON_CreateObject(), *vcpus = cJSON_CreateArray();
	const struct recommend_limits limits = evaluation_limits(views, domain);
	struct recommend whole = RECOMMEND_NONE;
	const struct evaluation *evaluation;

	for (size_t i = 0; i < domain->n_vcpus; i++) {
		evaluation = evaluation_of(views, domain, &domain->vcpus[i]);
		recommend_join(&whole, &evaluation->recommend);
		cJSON_AddItemToArray(vcpus, report_one(&domain->vcpus[i], evaluation));
	}
	report_add_name(root, "domain", domain);
	cJSON_AddStringToObject(root, "uuid", domain->seen->uuid);
	cJSON_AddStringToObject(root, "uuid_kind", domain_uuid_kind_name(domain->seen->uuid_kind));
	cJSON_AddStringToObject(root, "profile", profile_name(views, domain));
	cJSON_AddBoolToObject(root, "automatic", planning_domain(views->planning, domain)->learns);
	add_verdict(root, &whole);
	add_need(root, &whole);
	report_integer(root, "used_permille", whole.used_permille);
	report_integer(root, "wakeups", (int64_t)whole.wakeups);
	add_limits(root, &limits);
	cJSON_AddItemToObject(root, "vcpus", vcpus);
	return root;
}

void report_lacks_tokens(const struct views *views, const struct inventory_domain *domain,
                         struct cJSON *object)
{
	cJSON *array = cJSON_AddArrayToObject(object, "lacks_tokens"), *member;
	const struct evaluation *evaluation;

	for (size_t i = 0; i < domain->n_vcpus; i++) {
		evaluation = evaluation_of(views, domain, &domain->vcpus[i]);
		if (!evaluation->lacks_tokens)
			continue;
		member = cJSON_CreateObject();
		report_integer(member, "vcpu", domain->vcpus[i].thread.index);
		report_integer(member, "late_permille", evaluation->late_permille);
		report_integer(member, "burst_us",
		               (int64_t)(evaluation->recommend.need.burst_ns / NSEC_PER_USEC));
		report_integer(member, "share_permille", evaluation->recommend.need.share_permille);
		cJSON_AddItemToArray(array, member);
	}
}
