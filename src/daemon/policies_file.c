// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/policies_file.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/report_json.h"
#include "util/json.h"

/* 3: policies that are assigned; without any it is written as 2, for older daemons */
#define VERSION 3

#define BURST_US_MIN (PROFILE_BURST_NS_MIN / NSEC_PER_USEC)
#define BURST_US_MAX (PROFILE_BURST_NS_MAX / NSEC_PER_USEC)

static int parse_details(const struct json_value *value, struct policy_entry *ret,
                         struct json_error *error)
{
	static const char *const keys[] = {"profile", "share_permille", "burst_us", "name",
	                                   "set_s",   "ran_s",          "policy"};
	int64_t share_permille = 0, burst_us = 0;
	int r = json_check_keys(value, keys, ARRAY_SIZE(keys), error);

	if (r == 0)
		r = json_get_string(value, "profile", ret->profile, sizeof(ret->profile), error);
	if (r == 0)
		r = json_get_string(value, "policy", ret->policy, sizeof(ret->policy), error);
	if (r == 0)
		r = json_get_integer(value, "share_permille", 1, PROFILE_SHARE_PERMILLE_MAX,
		                     &share_permille, error);
	if (r == 0)
		r = json_get_integer(value, "burst_us", BURST_US_MIN, BURST_US_MAX, &burst_us,
		                     error);
	if (r == 0)
		r = json_get_string(value, "name", ret->name, sizeof(ret->name), error);
	if (r == 0)
		r = json_get_integer(value, "set_s", 0, JSON_INTEGER_MAX, &ret->set_s, error);
	if (r == 0)
		r = json_get_integer(value, "ran_s", 0, JSON_INTEGER_MAX, &ret->ran_s, error);
	ret->share_permille = (uint32_t)share_permille;
	ret->burst_ns = (uint64_t)burst_us * NSEC_PER_USEC;
	return r;
}

static int parse_policy(const struct json_value *value, struct policy_entry *ret,
                        struct json_error *error)
{
	const char *profile;
	int r;

	if (strlen(json_key(value)) != DOMAIN_UUID_LEN - 1)
		return json_fail(value, error, "is not a uuid");
	snprintf(ret->uuid, sizeof(ret->uuid), "%s", json_key(value));
	if (json_type(value) != JSON_STRING) {
		r = parse_details(value, ret, error);
	} else {
		r = json_as_string(value, &profile, error);
		if (r == 0 && strlen(profile) < sizeof(ret->profile))
			snprintf(ret->profile, sizeof(ret->profile), "%s", profile);
	}
	if (r == 0 && !ret->profile[0] && !ret->policy[0])
		r = json_fail(value, error, "names neither a profile nor a policy");
	return r;
}

int policies_parse(const char *text, size_t size, struct policies *ret, struct json_error *error)
{
	struct json_doc *doc CLEANUP(json_cleanup) = NULL;
	static const char *const keys[] = {"version", "policies"};
	const struct json_value *policies;
	int64_t version = 1;
	int r;

	r = json_parse(text, size, &doc, error);
	if (r == 0)
		r = json_check_keys(json_root(doc), keys, ARRAY_SIZE(keys), error);
	if (r == 0)
		r = json_get_integer(json_root(doc), "version", 1, VERSION, &version, error);
	if (r < 0)
		return r;
	policies = json_member(json_root(doc), "policies");
	if (!policies)
		return 0;
	r = json_check_object(policies, error);
	if (r < 0)
		return r;
	JSON_FOREACH(member, policies)
	{
		struct policy_entry policy = {0};

		r = parse_policy(member, &policy, error);
		if (r == 0)
			r = policies_put(ret, &policy);
		if (r < 0)
			return r;
	}
	return 0;
}

static int version_of(const struct policies *policies)
{
	for (size_t i = 0; i < policies->n; i++)
		if (policies->entries[i].policy[0])
			return VERSION;
	return 2;
}

char *policies_print(const struct policies *policies)
{
	cJSON *root = cJSON_CreateObject(), *all;
	char *text;

	cJSON_AddNumberToObject(root, "version", version_of(policies));
	all = cJSON_AddObjectToObject(root, "policies");
	for (size_t i = 0; i < policies->n; i++) {
		const struct policy_entry *policy = &policies->entries[i];
		cJSON *object = cJSON_AddObjectToObject(all, policy->uuid);

		if (policy->profile[0])
			cJSON_AddStringToObject(object, "profile", policy->profile);
		if (policy->policy[0])
			cJSON_AddStringToObject(object, "policy", policy->policy);
		if (policy->share_permille)
			report_integer(object, "share_permille", policy->share_permille);
		if (policy->burst_ns)
			report_integer(object, "burst_us",
			               (int64_t)(policy->burst_ns / NSEC_PER_USEC));
		/* one of other bytes would make the whole file no JSON */
		if (policy->name[0] && utf8_valid(policy->name, strlen(policy->name)))
			cJSON_AddStringToObject(object, "name", policy->name);
		report_integer(object, "set_s", policy->set_s);
		report_integer(object, "ran_s", policy->ran_s);
	}
	text = cJSON_Print(root);
	cJSON_Delete(root);
	return text;
}
