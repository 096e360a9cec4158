// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/report_policies.h"

#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/report_json.h"
#include "util/cleanup.h"

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
	if (policy->profile[0])
		cJSON_AddStringToObject(object, "profile", policy->profile);
	if (policy->policy[0])
		cJSON_AddStringToObject(object, "policy", policy->policy);
	if (policy->share_permille)
		report_integer(object, "share_permille", policy->share_permille);
	if (policy->burst_ns)
		report_integer(object, "burst_us", (int64_t)(policy->burst_ns / NSEC_PER_USEC));
}

/* By a policy that ends with the daemon, if that one counts. */
static bool is_overruled(const struct views *views, const char *uuid)
{
	const struct policy_entry *other = policies_find(overrides_all(views->overrides), uuid);

	return other && config_profile(views->config, other->profile);
}

/* One of a table's policies, and its domain if that runs. */
struct row {
	const struct policy_entry *policy;
	const struct inventory_domain *domain;
};

/* What keeps a policy of the table out of force; NULL: nothing does. */
static const char *why_not(const struct views *views, const struct row *row, bool persist)
{
	const struct policy_entry *policy = row->policy;

	if (policy->profile[0] && !config_profile(views->config, policy->profile))
		return "the configuration has no such profile";
	if (policy->policy[0] && registry_parse(policy->policy) == REGISTRY_NONE)
		return "this version of pvschedd has no such policy";
	if (persist && policy->profile[0] && is_overruled(views, policy->uuid))
		return "another command overrules it";
	return row->domain ? NULL : "the domain does not run";
}

static cJSON *add_policy(const struct views *views, const struct row *row, bool persist,
                         cJSON *array)
{
	const struct policy_entry *policy = row->policy;
	const struct inventory_domain *d = row->domain;
	const char *why = why_not(views, row, persist);
	cJSON *object = cJSON_CreateObject();

	add_subject(object, d, policy);
	cJSON_AddStringToObject(object, "source", persist ? "policy set --persist" : "policy set");
	cJSON_AddBoolToObject(object, "persist", persist);
	cJSON_AddBoolToObject(object, "in_force", !why);
	if (why)
		cJSON_AddStringToObject(object, "why_not", why);
	cJSON_AddItemToArray(array, object);
	return object;
}

static void add_override(const struct views *views, const struct row *row, cJSON *array)
{
	cJSON *object = add_policy(views, row, false, array);
	uint64_t age_s, left_s;

	overrides_times(views->overrides, row->policy, &age_s, &left_s);
	report_integer(object, "age_s", (int64_t)age_s);
	if (left_s)
		report_integer(object, "expires_s", (int64_t)left_s);
}

static void add_persistent(const struct views *views, const struct row *row, cJSON *array)
{
	cJSON *object = add_policy(views, row, true, array);
	int64_t age_s = state_ago_s(row->policy->set_s), ran_s = state_ago_s(row->policy->ran_s);

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

/*
 * The domains are looked for in the table, not the other way round: it is sorted, and a user who
 * asks all the time must not hold up the main thread. Returns false when out of memory.
 */
static bool add_table(const struct views *views, const struct policies *table,
                      void (*add)(const struct views *, const struct row *, cJSON *), cJSON *array)
{
	CLEANUP(cleanup_free) struct row *rows = calloc(table->n + 1, sizeof(*rows));

	if (!rows)
		return false;
	for (const struct inventory_domain *d = views->inventory->domains; d; d = d->next) {
		const struct policy_entry *policy = policies_find(table, d->seen->uuid);

		if (policy)
			rows[policy - table->entries].domain = d;
	}
	for (size_t i = 0; i < table->n; i++) {
		rows[i].policy = &table->entries[i];
		add(views, &rows[i], array);
	}
	return true;
}

struct cJSON *report_policies(const struct views *views)
{
	cJSON *root = cJSON_CreateObject();
	cJSON *array = cJSON_AddArrayToObject(root, "policies");

	if (!add_table(views, overrides_all(views->overrides), add_override, array) ||
	    !add_table(views, state_policies(views->state), add_persistent, array)) {
		cJSON_Delete(root);
		return NULL;
	}
	add_released(views, cJSON_AddArrayToObject(root, "released"));
	return root;
}
