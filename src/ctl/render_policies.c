/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/render_policies.h"

#include <inttypes.h>
#include <string.h>

#include "ctl/print.h"
#include "ctl/value.h"

/** A time in seconds as "10 min"; @otherwise if it is missing. */
static void cell_seconds(struct table *table, const struct json_value *object, const char *key,
                         const char *otherwise)
{
	int64_t s = value_number(object, key);
	char text[64];

	if (s < 0 || s > INT64_MAX / (int64_t)NSEC_PER_SEC) {
		table_add(table, otherwise);
		return;
	}
	if (s == 0)
		snprintf(text, sizeof(text), "0 s");
	else if (s >= 2 * 24 * 3600)
		snprintf(text, sizeof(text), "%" PRId64 " days", s / (24 * 3600));
	else
		format_duration(s * (int64_t)NSEC_PER_SEC, text, sizeof(text));
	table_add(table, text);
}

static void add_policy(struct table *table, const struct json_value *policy)
{
	bool persist = value_bool(policy, "persist"), in_force = value_bool(policy, "in_force");

	table_add(table, value_text(policy, "domain", "-"));
	cell_text(table, policy, "profile");
	cell_text(table, policy, "policy");
	table_add(table, persist ? "persistent" : "command");
	cell_seconds(table, policy, "age_s", "-");
	cell_seconds(table, policy, "expires_s", persist ? "never" : "with pvschedd");
	table_add(table, in_force ? "yes" : "no");
	if (value_bool(policy, "runs"))
		table_add(table, "runs");
	else
		cell_seconds(table, policy, "ran_ago_s", "-");
	table_add(table, value_text(policy, "uuid", "-"));
}

/** Why some are not in force: the domain's state says that of most. */
static void print_why_not(const struct json_value *policies, FILE *out)
{
	JSON_FOREACH(policy, policies)
	{
		const char *why = value_text(policy, "why_not", "");

		if (!why[0] || (!value_bool(policy, "runs") && strstr(why, "does not run")))
			continue;
		print_escaped(out, value_text(policy, "domain", value_text(policy, "uuid", "-")));
		if (json_member(policy, "profile")) {
			fputs(", profile ", out);
			print_escaped(out, value_text(policy, "profile", "-"));
		}
		if (json_member(policy, "policy")) {
			fputs(", policy ", out);
			print_escaped(out, value_text(policy, "policy", "-"));
		}
		fputs(": ", out);
		print_escaped(out, why);
		fputs("\n", out);
	}
}

static void print_released(const struct json_value *released, FILE *out)
{
	const char *before = "Released, so not boosted: ";

	if (!released || !json_first(released))
		return;
	JSON_FOREACH(domain, released)
	{
		fputs(before, out);
		print_escaped(out, value_text(domain, "domain", "-"));
		before = ", ";
	}
	fputs("\n", out);
}

void render_policies(const struct json_value *result, FILE *out)
{
	static const struct table_column columns[] = {
	        {"DOMAIN", false},   {"PROFILE", false},  {"POLICY", false},
	        {"SET BY", false},   {"AGE", true},       {"ENDS", true},
	        {"IN FORCE", false}, {"LAST RAN", false}, {"UUID", false},
	};
	CLEANUP(table_cleanup) struct table *table = table_new(columns, ARRAY_SIZE(columns));
	const struct json_value *policies = json_member(result, "policies");

	if (!policies || !json_first(policies)) {
		fputs("No policy is set by command.\n", out);
	} else {
		JSON_FOREACH(policy, policies)
		add_policy(table, policy);
		table_print(table, out);
		print_why_not(policies, out);
	}
	print_released(json_member(result, "released"), out);
}

/** "a, b" of an array of strings, or of the member @key of its objects; "-" of none. */
static void cell_list(struct table *table, const struct json_value *array, const char *key)
{
	char text[512] = "-";
	size_t used = 0;

	if (!array || json_type(array) != JSON_ARRAY)
		array = NULL;
	for (const struct json_value *i = array ? json_first(array) : NULL;
	     i && used < sizeof(text); i = json_next(i)) {
		const char *word = "-";

		if (key)
			word = value_text(i, key, "-");
		else if (json_type(i) == JSON_STRING)
			json_as_string(i, &word, NULL);
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s", used ? ", " : "",
		                         word);
	}
	table_add(table, text);
}

void render_kinds(const struct json_value *result, FILE *out)
{
	static const struct table_column columns[] = {
	        {"POLICY", false}, {"VERSION", true}, {"EVENTS", false}, {"DOMAINS", false}};
	CLEANUP(table_cleanup) struct table *table = table_new(columns, ARRAY_SIZE(columns));
	const struct json_value *policies = json_member(result, "policies");

	if (!policies)
		return;
	JSON_FOREACH(policy, policies)
	{
		cell_text(table, policy, "name");
		cell_number(table, policy, "version");
		cell_list(table, json_member(policy, "events"), NULL);
		cell_list(table, json_member(policy, "domains"), "domain");
	}
	table_print(table, out);
	fputs("\n", out);
	JSON_FOREACH(policy, policies)
	{
		print_escaped(out, value_text(policy, "name", "-"));
		fputs(" ", out);
		print_escaped(out, value_text(policy, "brief", "-"));
		fputs(value_bool(policy, "default") ? "; the default one.\n" : ".\n", out);
	}
}

void render_dry_run(const struct json_value *result, FILE *out)
{
	static const struct table_column columns[] = {
	        {"DOMAIN", false},  {"VCPUS", true}, {"SHARE", true},        {"THEN", true},
	        {"DOMAIN'S", true}, {"THEN", true},  {"REASON THEN", false},
	};
	CLEANUP(table_cleanup) struct table *table = table_new(columns, ARRAY_SIZE(columns));
	const struct json_value *domains = json_member(result, "domains");

	if (!domains)
		return;
	print_escaped(out, value_text(result, "domain", "-"));
	fputs(": profile ", out);
	print_escaped(out, value_text(result, "profile", "-"));
	fputs(" asks for ", out);
	print_share(out, value_number(result, "share_permille"));
	fputs(" of a CPU for each vCPU. Nothing was changed: --dry-run.\n", out);
	if (json_member(result, "host_reason")) {
		fputs("Now no vCPU of this host is boosted: ", out);
		print_escaped(out, value_text(result, "host_reason", "-"));
		fputs(". Without that:\n", out);
	}
	JSON_FOREACH(domain, domains)
	{
		cell_text(table, domain, "domain");
		cell_number(table, domain, "vcpus");
		cell_share(table, domain, "share_now_permille");
		cell_share(table, domain, "share_then_permille");
		cell_share(table, domain, "domain_share_now_permille");
		cell_share(table, domain, "domain_share_then_permille");
		cell_text(table, domain, "reason");
	}
	table_print(table, out);
	if (json_first(domains) && !json_next(json_first(domains)))
		fputs("No other domain gains or loses a share.\n", out);
}

void render_config(const struct json_value *result, FILE *out)
{
	static const struct table_column columns[] = {
	        {"KEY", false}, {"SOURCE", false}, {"VALUE", false}};
	CLEANUP(table_cleanup) struct table *table = table_new(columns, ARRAY_SIZE(columns));
	const struct json_value *settings = json_member(result, "settings");
	int64_t left_out = value_number(result, "left_out");

	if (!settings)
		return;
	JSON_FOREACH(setting, settings)
	{
		table_add(table, value_text(setting, "key", "-"));
		table_add(table, value_text(setting, "source", "-"));
		table_add(table, value_text(setting, "text", "-"));
	}
	table_print(table, out);
	if (left_out > 0)
		fprintf(out, "%" PRId64 " more are not shown.\n", left_out);
}
