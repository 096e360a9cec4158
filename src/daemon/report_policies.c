// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/report_policies.h"

#include <cjson/cJSON.h>
#include <string.h>

#include "daemon/report_json.h"

/* Who has a policy: a domain that runs, by its name now, or the last name that is known. */
static void add_subject(cJSON *object, const struct inventory_domain *d,
                        const struct policy_entry *policy)
{
	if (d)
		report_add_name(object, "domain", d);
	else if (policy->name[0] && utf8_valid(policy->name, strlen(policy->name)))
		cJSON_AddStringToObject(object, "domain", policy->name);
	cJSON_AddStringToObject(object, "uuid", policy->uuid);
	cJSON_AddBoolToObject(object, "runs", d != NULL);
	cJSON_AddStringToObject(object, "profile", policy->profile);
}

/* By a policy that ends with the daemon, if that one counts. */
static bool is_overruled(const struct views *views, const char *uuid)
{
	const struct policy_entry *other = policies_find(overrides_all(views->overrides), uuid);

	return other && config_profile(views->config, other->profile);
}

static cJSON *add_policy(const struct views *views, const struct policy_entry *policy, bool persist,
                         cJSON *array)
{
	const struct inventory_domain *d = inventory_find_uuid(views->inventory, policy->uuid);
	bool exists = config_profile(views->config, policy->profile) != NULL;
	bool overruled = persist && is_overruled(views, policy->uuid);
	cJSON *object = cJSON_CreateObject();

	add_subject(object, d, policy);
	cJSON_AddStringToObject(object, "source", persist ? "policy set --persist" : "policy set");
	cJSON_AddBoolToObject(object, "persist", persist);
	cJSON_AddBoolToObject(object, "in_force", d != NULL && exists && !overruled);
	if (!exists)
		cJSON_AddStringToObject(object, "why_not", "the configuration has no such profile");
	else if (overruled)
		cJSON_AddStringToObject(object, "why_not", "another command overrules it");
	else if (!d)
		cJSON_AddStringToObject(object, "why_not", "the domain does not run");
	cJSON_AddItemToArray(array, object);
	return object;
}

static void add_override(const struct views *views, const struct policy_entry *policy, cJSON *array)
{
	cJSON *object = add_policy(views, policy, false, array);
	uint64_t age_s, left_s;

	overrides_times(views->overrides, policy, &age_s, &left_s);
	report_integer(object, "age_s", (int64_t)age_s);
	if (left_s)
		report_integer(object, "expires_s", (int64_t)left_s);
}

static void add_persistent(const struct views *views, const struct policy_entry *policy,
                           cJSON *array)
{
	cJSON *object = add_policy(views, policy, true, array);
	int64_t age_s = state_ago_s(policy->set_s), ran_s = state_ago_s(policy->ran_s);

	if (age_s >= 0)
		report_integer(object, "age_s", age_s);
	if (ran_s >= 0)
		report_integer(object, "ran_ago_s", ran_s);
}

static void add_released(const struct views *views, cJSON *array)
{
	for (const struct inventory_domain *d = views->inventory->domains; d; d = d->next) {
		cJSON *object;

		if (!overrides_released(views->overrides, d))
			continue;
		object = cJSON_CreateObject();
		report_add_name(object, "domain", d);
		cJSON_AddStringToObject(object, "uuid", d->seen->uuid);
		cJSON_AddItemToArray(array, object);
	}
}

struct cJSON *report_policies(const struct views *views)
{
	const struct policies *overrides = overrides_all(views->overrides);
	const struct policies *persistent = state_policies(views->state);
	cJSON *root = cJSON_CreateObject();
	cJSON *array = cJSON_AddArrayToObject(root, "policies");

	for (size_t i = 0; i < overrides->n; i++)
		add_override(views, &overrides->entries[i], array);
	for (size_t i = 0; i < persistent->n; i++)
		add_persistent(views, &persistent->entries[i], array);
	add_released(views, cJSON_AddArrayToObject(root, "released"));
	return root;
}
