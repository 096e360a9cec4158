// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/report_domains.h"

#include <cjson/cJSON.h>

#include "daemon/report_agents.h"
#include "daemon/report_auto.h"
#include "daemon/report_avoid.h"
#include "daemon/report_helpers.h"
#include "daemon/report_json.h"
#include "daemon/report_page.h"
#include "daemon/report_recommend.h"
#include "daemon/report_vcpu.h"

const char *report_domain_state(const struct views *views, const struct inventory_domain *d)
{
	if (lifecycle_migrating(views->lifecycle, d))
		return "migrating";
	return d->seen->state == DOMAIN_RUNNING ? "running" : "paused";
}

/* What all vCPUs of a domain took, and why the first one that is not boosted is not. */
static void add_domain_use(const struct views *views, const struct inventory_domain *d,
                           cJSON *object)
{
	enum policy_reason reason = POLICY_REASON_PROFILE;
	uint64_t used_ns = 0, run_ns = 0;
	struct vcpu_snapshot snapshot;

	for (size_t i = d->n_vcpus; i > 0; i--) {
		vcpu_snapshot_take(views, &d->vcpus[i - 1], &snapshot);
		used_ns += snapshot.account.used_ns;
		run_ns += snapshot.account.run_ns;
		if (i == d->n_vcpus || snapshot.booster.view.state != POLICY_ARMED)
			reason = vcpu_snapshot_reason(&snapshot);
	}
	report_integer(object, "boosted_ns", (int64_t)used_ns);
	report_integer(object, "run_ns", (int64_t)run_ns);
	report_integer(object, "boosted_permille",
	               run_ns ? (int64_t)(used_ns / MAX(run_ns / 1000, UINT64_C(1))) : 0);
	cJSON_AddStringToObject(object, "reason", policy_reason_name(reason));
}

/* What the events of the domain took of the booster's time. */
static void add_attention(const struct views *views, const struct inventory_domain *d,
                          cJSON *object)
{
	cJSON *member = cJSON_AddObjectToObject(object, "attention");
	struct attention_view view = {0};

	booster_read_domain(views->booster, d->slot, &view);
	report_integer(member, "used_us", (int64_t)(view.used_ns / NSEC_PER_USEC));
	cJSON_AddBoolToObject(member, "unheard", view.unheard);
	report_integer(member, "unheard_total", (int64_t)view.unheard_total);
}

struct cJSON *report_list(const struct views *views)
{
	cJSON *root = cJSON_CreateObject();
	cJSON *array = cJSON_AddArrayToObject(root, "domains");

	for (const struct inventory_domain *d = views->inventory->domains; d; d = d->next) {
		cJSON *object = cJSON_CreateObject();

		report_add_name(object, "name", d);
		cJSON_AddStringToObject(object, "uuid", d->seen->uuid);
		report_add_labels(object, d);
		cJSON_AddStringToObject(object, "discovered_by",
		                        domain_source_name(d->seen->source));
		cJSON_AddStringToObject(object, "state", report_domain_state(views, d));
		cJSON_AddStringToObject(object, "profile",
		                        planning_domain(views->planning, d)->profile.name);
		report_integer(object, "vcpus", (int64_t)d->n_vcpus);
		add_domain_use(views, d, object);
		cJSON_AddItemToArray(array, object);
	}
	return root;
}

static void add_choice_sources(const struct config_choice *choice, cJSON *object)
{
	cJSON *sources = cJSON_AddObjectToObject(object, "sources");

	cJSON_AddStringToObject(sources, "profile", choice->profile_source);
	cJSON_AddStringToObject(sources, "share_permille", choice->share_source);
	cJSON_AddStringToObject(sources, "burst_us", choice->burst_source);
	cJSON_AddStringToObject(sources, "policy", choice->policy_source);
}

/* Which policy is assigned to it. */
static void add_policy(const struct config_choice *choice, cJSON *object)
{
	char label[REGISTRY_LABEL_MAX];

	registry_label(choice->profile.policy, label);
	cJSON_AddStringToObject(object, "policy", label);
}

static const char *metadata_use_name(enum plan_metadata_use use)
{
	switch (use) {
	case PLAN_METADATA_USE_NONE:
		return "none";
	case PLAN_METADATA_USE_IGNORED:
		return "ignored";
	case PLAN_METADATA_USE_INVALID:
		return "invalid";
	case PLAN_METADATA_USE_OBSERVED:
		return "observed";
	case PLAN_METADATA_USE_OVERRULED:
		return "overruled";
	case PLAN_METADATA_USE_HONOURED:
		return "honoured";
	}
	return "?";
}

/* What the domain asks for, and what became of that. */
static void add_metadata(const struct views *views, const struct inventory_domain *d, cJSON *object)
{
	const struct domain_metadata *metadata = &d->seen->metadata;
	const struct plan_domain *plan = planning_domain(views->planning, d);
	const char *error = planning_metadata_error(views->planning, d);
	cJSON *member = cJSON_AddObjectToObject(object, "metadata");

	cJSON_AddStringToObject(member, "state", metadata_use_name(plan->metadata_use));
	if (error[0])
		cJSON_AddStringToObject(member, "error", error);
	if (metadata->state != DOMAIN_METADATA_VALID)
		return;
	if (metadata->profile[0])
		cJSON_AddStringToObject(member, "profile", metadata->profile);
	if (metadata->share_permille)
		report_integer(member, "share_permille", metadata->share_permille);
	if (metadata->burst_us)
		report_integer(member, "burst_us", metadata->burst_us);
}

struct cJSON *report_show(const struct views *views, const struct inventory_domain *d)
{
	cJSON *root = cJSON_CreateObject();
	cJSON *object = cJSON_AddObjectToObject(root, "domain"), *vcpus;
	struct config_choice choice;

	planning_choice(views->planning, d, &choice);
	report_add_name(object, "name", d);
	cJSON_AddStringToObject(object, "uuid", d->seen->uuid);
	cJSON_AddStringToObject(object, "uuid_kind", domain_uuid_kind_name(d->seen->uuid_kind));
	report_add_labels(object, d);
	cJSON_AddStringToObject(object, "discovered_by", domain_source_name(d->seen->source));
	cJSON_AddStringToObject(object, "state", report_domain_state(views, d));
	report_integer(object, "pid", d->seen->qemu.tid);
	cJSON_AddStringToObject(object, "profile",
	                        planning_domain(views->planning, d)->profile.name);
	cJSON_AddStringToObject(object, "profile_source", choice.source);
	report_integer(object, "share_permille", choice.profile.share_permille);
	report_integer(object, "burst_us", (int64_t)(choice.profile.burst_ns / NSEC_PER_USEC));
	add_policy(&choice, object);
	add_choice_sources(&choice, object);
	add_metadata(views, d, object);
	add_attention(views, d, object);
	report_helpers(views, d, object);
	report_carrier(views->carriers, d, object);
	report_agent(views->agents, d, object);
	report_avoid(views, d, object);
	report_auto(views, d, object);
	report_lacks_tokens(views, d, object);
	vcpus = cJSON_AddArrayToObject(object, "vcpus");
	for (size_t i = 0; i < d->n_vcpus; i++)
		cJSON_AddItemToArray(vcpus, report_vcpu_detail(views, d, &d->vcpus[i]));
	return root;
}

struct cJSON *report_explain(const struct views *views, const struct inventory_domain *d, int vcpu)
{
	cJSON *root = cJSON_CreateObject();
	cJSON *array = cJSON_AddArrayToObject(root, "vcpus");

	for (size_t i = 0; i < d->n_vcpus; i++)
		if (vcpu < 0 || d->vcpus[i].thread.index == (unsigned int)vcpu)
			cJSON_AddItemToArray(array, report_vcpu_explain(views, d, &d->vcpus[i]));
	if (vcpu >= 0 && cJSON_GetArraySize(array) == 0) {
		cJSON_Delete(root);
		return NULL;
	}
	return root;
}

struct cJSON *report_policy(const struct views *views, const struct inventory_domain *d)
{
	const struct policy_entry *policy =
	        policies_find(overrides_all(views->overrides), d->seen->uuid);
	uint64_t age_s, left_s = 0;
	cJSON *root = cJSON_CreateObject();
	struct config_choice choice;

	planning_choice(views->planning, d, &choice);
	report_add_name(root, "domain", d);
	cJSON_AddStringToObject(root, "profile", choice.profile.name);
	cJSON_AddStringToObject(root, "source", choice.source);
	add_policy(&choice, root);
	cJSON_AddStringToObject(root, "policy_source", choice.policy_source);
	if (policy)
		overrides_times(views->overrides, policy, &age_s, &left_s);
	if (left_s)
		report_integer(root, "expires_s", (int64_t)left_s);
	return root;
}
