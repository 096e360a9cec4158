/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/render.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/print.h"
#include "ctl/render_interrupts.h"
#include "ctl/render_overview.h"
#include "ctl/render_page.h"
#include "ctl/render_policies.h"
#include "ctl/render_recommend.h"
#include "ctl/render_windows.h"
#include "ctl/value.h"
#include "util/cleanup.h"
#include "util/escape.h"

static void print_reasons(FILE *out, const struct json_value *denied, const char *indent)
{
	char list[1024];

	value_list(denied, list, sizeof(list));
	if (list[0] == '\0')
		return;
	fprintf(out, "%sdenied: ", indent);
	print_escaped(out, list);
	fputs("\n", out);
}

static bool any_has(const struct json_value *objects, const char *key)
{
	if (!objects)
		return false;
	JSON_FOREACH(object, objects)
	{
		if (json_member(object, key))
			return true;
	}
	return false;
}

void render_list(const struct json_value *result, FILE *out)
{
	static const struct table_column columns[] = {
	        {"NAME", false},   {"STATE", false},  {"PROFILE", false}, {"VCPUS", true},
	        {"BOOSTED", true}, {"REASON", false}, {"UUID", false},    {"TITLE", false},
	};
	const struct json_value *domains = json_member(result, "domains");
	bool titled = any_has(domains, "title");
	CLEANUP(table_cleanup)
	struct table *table = table_new(columns, ARRAY_SIZE(columns) - !titled);

	if (!domains || !json_first(domains)) {
		fputs("No domain runs here, or none was found yet.\n", out);
		return;
	}
	JSON_FOREACH(domain, domains)
	{
		cell_text(table, domain, "name");
		cell_text(table, domain, "state");
		cell_text(table, domain, "profile");
		cell_number(table, domain, "vcpus");
		cell_share(table, domain, "boosted_permille");
		cell_text(table, domain, "reason");
		cell_text(table, domain, "uuid");
		if (titled)
			cell_text(table, domain, "title");
	}
	table_print(table, out);
}

/* Prints the file and line that set each of the three values. */
static void render_choice_sources(const struct json_value *sources, FILE *out)
{
	static const char *const keys[] = {"profile", "share_permille", "burst_us"};

	for (size_t i = 0; sources && i < ARRAY_SIZE(keys); i++) {
		fprintf(out, "         %-14s  ", keys[i]);
		print_escaped(out, value_text(sources, keys[i], "-"));
		fputs("\n", out);
	}
}

/* Prints which policy is assigned to it, and which decided last for its vCPUs. */
static void render_policy_of(const struct json_value *domain, FILE *out)
{
	const struct json_value *vcpus = json_member(domain, "vcpus"), *sources, *first;

	if (!json_member(domain, "policy"))
		return;
	sources = json_member(domain, "sources");
	first = vcpus ? json_first(vcpus) : NULL;
	fputs("Policy:  ", out);
	print_escaped(out, value_text(domain, "policy", "-"));
	if (strcmp(value_text(domain, "policy", "-"), "guest") == 0 && first) {
		fputs(", so ", out);
		print_escaped(out, value_text(first, "policy", "none"));
	}
	fputs(", from ", out);
	print_escaped(out, sources ? value_text(sources, "policy", "-") : "-");
	fputs("\n", out);
}

/* Prints the policy in the domain's metadata and how it is treated, if the domain has one. */
static void render_metadata(const struct json_value *metadata, FILE *out)
{
	static const char *const keys[] = {"share_permille", "burst_us"};
	const char *state = metadata ? value_text(metadata, "state", "none") : "none";

	if (strcmp(state, "none") == 0)
		return;
	fputs("Wants:   ", out);
	if (json_member(metadata, "profile")) {
		fputs("profile ", out);
		print_escaped(out, value_text(metadata, "profile", "-"));
		fputs(", ", out);
	}
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (json_member(metadata, keys[i]))
			fprintf(out, "%s %" PRId64 ", ", keys[i], value_number(metadata, keys[i]));
	fputs("by its metadata: ", out);
	print_escaped(out, state);
	if (json_member(metadata, "error")) {
		fputs(": ", out);
		print_escaped(out, value_text(metadata, "error", "-"));
	}
	fputs("\n", out);
}

/* What those who run the domain call it. */
static void render_labels(const struct json_value *domain, FILE *out)
{
	static const char *const keys[] = {"title", "flavor"}, *const heads[] = {"Title", "Flavor"};
	const struct json_value *tags = json_member(domain, "tags");

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		if (!json_member(domain, keys[i]))
			continue;
		fprintf(out, "\n%s:%*s", heads[i], (int)(8 - strlen(heads[i])), "");
		print_escaped(out, value_text(domain, keys[i], "-"));
	}
	if (!tags || !json_first(tags))
		return;
	fputs("\nTags:    ", out);
	JSON_FOREACH(tag, tags)
	{
		if (tag != json_first(tags))
			fputs(", ", out);
		print_escaped(out, value_string(tag, "-"));
	}
}

static void render_domain(const struct json_value *domain, FILE *out)
{
	fputs("Domain:  ", out);
	print_escaped(out, value_text(domain, "name", "-"));
	fputs("\nUUID:    ", out);
	print_escaped(out, value_text(domain, "uuid", "-"));
	if (strcmp(value_text(domain, "uuid_kind", "own"), "own") != 0) {
		fputs(", ", out);
		print_escaped(out, value_text(domain, "uuid_kind", "-"));
		fputs(": no identity after a restart", out);
	}
	render_labels(domain, out);
	fputs("\nState:   ", out);
	print_escaped(out, value_text(domain, "state", "-"));
	fputs(", found by ", out);
	print_escaped(out, value_text(domain, "discovered_by", "-"));
	fprintf(out, "\nQEMU:    pid %" PRId64 "\nProfile: ", value_number(domain, "pid"));
	print_escaped(out, value_text(domain, "profile", "-"));
	fputs(", ", out);
	print_share(out, value_number(domain, "share_permille"));
	fputs(" of a CPU, burst ", out);
	print_duration(out, value_ns_of_us(domain, "burst_us"));
	fputs("\nFrom:    ", out);
	print_escaped(out, value_text(domain, "profile_source", "-"));
	fputs("\n", out);
	render_choice_sources(json_member(domain, "sources"), out);
	render_policy_of(domain, out);
	render_metadata(json_member(domain, "metadata"), out);
	render_carrier(json_member(domain, "carrier"), out);
	render_agent(json_member(domain, "agent"), out);
	render_avoid(json_member(domain, "avoid"), out);
}

static void render_show_vcpus(const struct json_value *vcpus, FILE *out)
{
	static const struct table_column columns[] = {
	        {"VCPU", true},      {"TID", true},    {"CPU", true},     {"PROFILE", false},
	        {"STATE", false},    {"LEVER", false}, {"SHARE", true},   {"FAIR", true},
	        {"TOKENS us", true}, {"BOOSTS", true}, {"WOULD", true},   {"DENIED", true},
	        {"BOOSTED", true},   {"RUN", true},    {"WAKEUPS", true}, {"FAST", true},
	        {"PREEMPTED", true}, {"IRQS", true},   {"REASON", false},
	};
	CLEANUP(table_cleanup) struct table *table = table_new(columns, ARRAY_SIZE(columns));

	JSON_FOREACH(vcpu, vcpus)
	{
		int64_t denied = value_sum(json_member(vcpu, "denied_total"));

		cell_number(table, vcpu, "vcpu");
		cell_number(table, vcpu, "tid");
		cell_number(table, vcpu, "cpu");
		cell_text(table, vcpu, "profile");
		cell_text(table, vcpu, "state");
		cell_text(table, vcpu, "lever");
		cell_share(table, vcpu, "share_permille");
		cell_share(table, vcpu, "entitlement_permille");
		cell_number(table, vcpu, "tokens_us");
		cell_number(table, vcpu, "boosts_total");
		cell_number(table, vcpu, "would_boost_total");
		table_addf(table, denied < 0 ? "-" : "%" PRId64, denied);
		cell_duration(table, vcpu, "boosted_ns");
		cell_duration(table, vcpu, "run_ns");
		cell_number(table, vcpu, "wakeups");
		cell_number(table, vcpu, "boosted_wakeups");
		cell_number(table, vcpu, "preemptions");
		cell_number(table, vcpu, "interrupts");
		cell_text(table, vcpu, "reason");
	}
	fputs("\n", out);
	table_print(table, out);
}

static void render_show_latency(const struct json_value *vcpus, FILE *out)
{
	static const struct table_column columns[] = {
	        {"VCPU", true},  {"WAIT us p50", true}, {"p99", true},
	        {"p99.9", true}, {"max", true},         {"APPLIED us p50", true},
	        {"p99", true},   {"max", true},         {"DENIED", false},
	};
	CLEANUP(table_cleanup) struct table *table = table_new(columns, ARRAY_SIZE(columns));
	char denied[512];

	JSON_FOREACH(vcpu, vcpus)
	{
		const struct json_value *wait = json_member(vcpu, "wait_us");
		const struct json_value *applied = json_member(vcpu, "request_to_applied_us");

		value_list(json_member(vcpu, "denied_total"), denied, sizeof(denied));
		cell_number(table, vcpu, "vcpu");
		cell_number(table, wait, "p50");
		cell_number(table, wait, "p99");
		cell_number(table, wait, "p999");
		cell_number(table, wait, "max");
		cell_number(table, applied, "p50");
		cell_number(table, applied, "p99");
		cell_number(table, applied, "max");
		table_add(table, denied[0] ? denied : "-");
	}
	fputs("\n", out);
	table_print(table, out);
}

static void render_helpers(const struct json_value *helpers, FILE *out)
{
	static const struct table_column columns[] = {
	        {"TID", true},       {"HELPER", false},  {"WAITS", true},  {"MAX us", true},
	        {"BEHIND us", true}, {"UNBOOSTS", true}, {"BOOSTS", true},
	};
	CLEANUP(table_cleanup) struct table *table = table_new(columns, ARRAY_SIZE(columns));

	if (!helpers || !json_first(helpers))
		return;
	JSON_FOREACH(helper, helpers)
	{
		cell_number(table, helper, "tid");
		cell_text(table, helper, "role");
		cell_number(table, helper, "waits_total");
		cell_number(table, helper, "wait_max_us");
		cell_number(table, helper, "behind_max_us");
		cell_number(table, helper, "sheds_total");
		cell_number(table, helper, "boosts_total");
	}
	fputs("\n", out);
	table_print(table, out);
}

void render_show(const struct json_value *result, FILE *out)
{
	const struct json_value *domain = json_member(result, "domain");
	const struct json_value *vcpus = domain ? json_member(domain, "vcpus") : NULL;

	if (!domain)
		return;
	render_domain(domain, out);
	render_auto(json_member(domain, "auto"), out);
	render_lacks_tokens(domain, out);
	if (vcpus && json_first(vcpus)) {
		render_show_vcpus(vcpus, out);
		render_show_latency(vcpus, out);
		render_windows(vcpus, out);
		render_interrupts(vcpus, out);
		render_pages(vcpus, out);
	}
	render_helpers(json_member(domain, "helpers"), out);
}

static void print_sentence(FILE *out, const char *sentence)
{
	if (sentence[0] == '\0')
		return;
	fputs("  ", out);
	print_escaped(out, sentence);
	fputs("\n", out);
}

void render_explain(const struct json_value *result, FILE *out)
{
	const struct json_value *vcpus = json_member(result, "vcpus");

	if (!vcpus || !json_first(vcpus)) {
		fputs("No vCPU of this domain was found yet.\n", out);
		return;
	}
	JSON_FOREACH(vcpu, vcpus)
	{
		int64_t ms = value_number(vcpu, "since_ms");

		print_escaped(out, value_text(vcpu, "domain", "-"));
		fprintf(out, " vCPU %" PRId64 ": ", value_number(vcpu, "vcpu"));
		print_escaped(out, value_text(vcpu, "state", "-"));
		if (ms >= 0 && ms < INT64_MAX / (int64_t)NSEC_PER_MSEC) {
			fputs(" for ", out);
			print_duration(out, ms * (int64_t)NSEC_PER_MSEC);
		}
		fputs(": ", out);
		print_escaped(out, value_text(vcpu, "reason", "-"));
		fputs("\n", out);
		print_sentence(out, value_text(vcpu, "explanation", ""));
		print_sentence(out, value_text(vcpu, "auto_text", ""));
		print_sentence(out, value_text(vcpu, "lever_text", ""));
		print_reasons(out, json_member(vcpu, "denied_total"), "  ");
		render_signs(vcpu, out);
		render_help(vcpu, out);
		print_sentence(out, value_text(vcpu, "next", ""));
	}
}

void render_policy(const struct json_value *result, FILE *out)
{
	int64_t expires_s = value_number(result, "expires_s");

	print_escaped(out, value_text(result, "domain", "-"));
	fputs(": profile ", out);
	print_escaped(out, value_text(result, "profile", "-"));
	if (expires_s >= 0 && expires_s < INT64_MAX / (int64_t)NSEC_PER_SEC) {
		fputs(", for ", out);
		print_duration(out, expires_s * (int64_t)NSEC_PER_SEC);
		fputs(" more", out);
	}
	fputs(", from ", out);
	print_escaped(out, value_text(result, "source", "-"));
	fputs("\n", out);
}

void render_message(const struct json_value *result, FILE *out)
{
	print_escaped(out, value_text(result, "message", "done"));
	fputs("\n", out);
}

/* What the daemon wrote has line breaks and nothing else to escape; another daemon may differ. */
static void render_lines(const char *text, FILE *out)
{
	while (*text) {
		size_t length = strcspn(text, "\n");
		CLEANUP(cleanup_free) char *line = strndup(text, length);

		if (!line)
			return;
		print_escaped(out, line);
		fputs("\n", out);
		text += length + (text[length] == '\n');
	}
}

static void render_status_as(const struct ctl_args *args, const struct json_value *result,
                             FILE *out, const struct terminal *terminal)
{
	if (args->columns.n) {
		render_domains(result, &args->columns, !args->no_header, out, terminal);
		return;
	}
	render_overview(result, !args->no_header, out, terminal);
	if (!args->long_form)
		return;
	fputs("\n", out);
	render_status(result, out);
}

void ctl_render(const struct ctl_args *args, const struct json_value *result, FILE *out,
                const struct terminal *terminal)
{
	if (!result)
		return;
	switch (args->verb) {
	case CTL_STATUS:
		render_status_as(args, result, out, terminal);
		break;
	case CTL_LIST:
		render_list(result, out);
		break;
	case CTL_SHOW:
		render_show(result, out);
		break;
	case CTL_EXPLAIN:
		render_explain(result, out);
		break;
	case CTL_POLICY_GET:
		render_policy(result, out);
		break;
	case CTL_BOOST:
		render_boost(result, out);
		break;
	case CTL_POLICY_LIST:
		render_policies(result, out);
		break;
	case CTL_POLICIES:
		render_kinds(result, out);
		break;
	case CTL_CONFIG:
		render_config(result, out);
		break;
	case CTL_METRICS:
		render_lines(value_text(result, "text", ""), out);
		break;
	case CTL_RECOMMEND:
		render_recommend(result, out);
		break;
	case CTL_POLICY_SET:
		if (args->dry_run)
			render_dry_run(result, out);
		else
			render_message(result, out);
		break;
	case CTL_POLICY_ASSIGN:
	case CTL_POLICY_UNSET:
	case CTL_AVOID:
	case CTL_RELEASE:
	case CTL_ENABLE:
	case CTL_DISABLE:
	case CTL_RELOAD:
		render_message(result, out);
		break;
	case CTL_TOP: /* printed by top.c */
	case CTL_WATCH:
	case CTL_TRIAL:   /* printed by trial.c */
	case CTL_LATENCY: /* printed by latency.c */
	case CTL_ATTACH:  /* printed by attach.c */
	case CTL_DETACH:
	case CTL_DOCTOR: /* printed by doctor.c, with local checks */
	case _CTL_VERB_MAX:
		break;
	}
}
