/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/report_kinds.h"

#include <cjson/cJSON.h>

#include "daemon/report_json.h"
#include "daemon/vcpu_snapshot.h"
#include "policy/registry.h"

static void add_events(const struct registry_entry *entry, cJSON *object)
{
	cJSON *events = cJSON_AddArrayToObject(object, "events");

	for (unsigned int bit = 0; bit < REGISTRY_EVENTS; bit++)
		if (entry->events & 1U << bit)
			cJSON_AddItemToArray(events, cJSON_CreateString(registry_event_name(bit)));
}

/* Whether it decided last for a vCPU of the domain: guests may name one for each of their CPUs. */
static bool decides(const struct views *views, const struct inventory_domain *d, uint32_t policy)
{
	struct vcpu_snapshot snapshot;

	if (planning_domain(views->planning, d)->profile.mode != PROFILE_BOOST)
		return false;
	for (size_t i = 0; i < d->n_vcpus; i++) {
		vcpu_snapshot_take(views, &d->vcpus[i], &snapshot);
		if (snapshot.traced && snapshot.booster.view.policy == policy)
			return true;
	}
	return false;
}

static void add_domains(const struct views *views, uint32_t policy, cJSON *object)
{
	cJSON *domains = cJSON_AddArrayToObject(object, "domains"), *domain;
	uint32_t assigned;

	for (const struct inventory_domain *d = views->inventory->domains; d; d = d->next) {
		if (!decides(views, d, policy))
			continue;
		assigned = planning_domain(views->planning, d)->profile.policy;
		domain = cJSON_CreateObject();
		report_add_name(domain, "domain", d);
		cJSON_AddStringToObject(domain, "uuid", d->seen->uuid);
		cJSON_AddBoolToObject(domain, "assigned", assigned == policy);
		cJSON_AddItemToArray(domains, domain);
	}
}

struct cJSON *report_kinds(const struct views *views)
{
	cJSON *root = cJSON_CreateObject();
	cJSON *array = cJSON_AddArrayToObject(root, "policies");

	for (uint32_t policy = 1; policy <= registry_n; policy++) {
		const struct registry_entry *entry = registry_of(policy);
		cJSON *object = cJSON_CreateObject();

		cJSON_AddStringToObject(object, "name", entry->name);
		report_integer(object, "version", entry->version);
		cJSON_AddBoolToObject(object, "default", policy == REGISTRY_DEFAULT);
		cJSON_AddStringToObject(object, "brief", entry->brief);
		add_events(entry, object);
		add_domains(views, policy, object);
		cJSON_AddItemToArray(array, object);
	}
	return root;
}
