/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Prints guest pages in show, and the result of boost. */
#include "ctl/render_page.h"

#include <inttypes.h>

#include "ctl/print.h"
#include "ctl/value.h"
#include "util/cleanup.h"

/* Prints for example "open, memfd (sealed), generation 0x1234", or why there is no carrier. */
void render_carrier(const struct json_value *carrier, FILE *out)
{
	const char *detail;

	if (!carrier)
		return;
	fputs("Pages:   ", out);
	print_escaped(out, value_text(carrier, "state", "-"));
	if (json_member(carrier, "kind")) {
		fputs(", ", out);
		print_escaped(out, value_text(carrier, "kind", "-"));
		fprintf(out, "%s, generation ", value_bool(carrier, "sealed") ? " (sealed)" : "");
		print_escaped(out, value_text(carrier, "generation", "-"));
	}
	detail = value_text(carrier, "detail", "");
	if (detail[0]) {
		fputs(": ", out);
		print_escaped(out, detail);
	}
	fputs("\n", out);
}

/* "version 0.1.0 on Linux 6.1.0-42-amd64, policy pvschedd 1, pages 2 of 2 CPUs", as far as known.
 */
static void render_agent_hello(const struct json_value *agent, FILE *out)
{
	fputs(", version ", out);
	print_escaped(out, value_text(agent, "version", "-"));
	fputs(" on Linux ", out);
	print_escaped(out, value_text(agent, "kernel", "-"));
	if (!json_member(agent, "policy"))
		return;
	fputs(", policy ", out);
	print_escaped(out, value_text(agent, "policy", "-"));
	fprintf(out, " %" PRId64 ", pages of %" PRId64 " of %" PRId64 " CPUs, generation ",
	        value_number(agent, "policy_version"), value_number(agent, "pages"),
	        value_number(agent, "cpus"));
	print_escaped(out, value_text(agent, "generation", "-"));
}

void render_agent(const struct json_value *agent, FILE *out)
{
	const char *detail = value_text(agent, "detail", "");
	char refusals[256];

	if (!agent)
		return;
	fputs("Agent:   ", out);
	print_escaped(out, value_text(agent, "state", "-"));
	if (json_member(agent, "version"))
		render_agent_hello(agent, out);
	if (detail[0]) {
		fputs(": ", out);
		print_escaped(out, detail);
	}
	if (json_member(agent, "version"))
		fprintf(out, "; hellos %" PRId64, value_number(agent, "hellos_total"));
	value_list(json_member(agent, "refusals_total"), refusals, sizeof(refusals));
	if (refusals[0])
		fputs("; refused so far: ", out);
	print_escaped(out, refusals);
	fputs("\n", out);
}

void render_avoid(const struct json_value *avoid, FILE *out)
{
	const char *vcpus = avoid ? value_text(avoid, "vcpus", "") : "";
	bool governed = avoid && value_bool(avoid, "governed");

	if (!vcpus[0] && !governed)
		return;
	fprintf(out, "Avoid:   %s", vcpus[0] ? "vCPUs " : "none");
	print_escaped(out, vcpus);
	if (governed)
		fprintf(out, ", %.1f %% of its demand waits, entitled to %.1f CPUs",
		        (double)value_number(avoid, "contention_permille") / 10,
		        (double)value_number(avoid, "entitled_permille") / 1000);
	fputs(governed ? "\n" : ", by command\n", out);
}

void render_pages(const struct json_value *vcpus, FILE *out)
{
	static const struct table_column columns[] = {
	        {"VCPU", true},   {"PAGE", false},     {"REQUEST", false}, {"READ BY", false},
	        {"YIELDS", true}, {"THROTTLED", true}, {"INVALID", true},  {"UNREADABLE", true}};
	CLEANUP(table_cleanup) struct table *table = table_new(columns, ARRAY_SIZE(columns));
	bool any = false;

	JSON_FOREACH(vcpu, vcpus)
	{
		const struct json_value *page = json_member(vcpu, "page");

		if (!page)
			continue;
		any = true;
		cell_number(table, vcpu, "vcpu");
		cell_text(table, page, "status");
		cell_text(table, page, "request");
		cell_text(table, page, "read_by");
		cell_number(table, vcpu, "yields_total");
		cell_number(table, vcpu, "throttles_total");
		cell_number(table, page, "invalid_total");
		cell_number(table, page, "faults_total");
	}
	if (!any)
		return;
	fputs("\n", out);
	table_print(table, out);
}

void render_boost(const struct json_value *result, FILE *out)
{
	const struct json_value *vcpus = json_member(result, "vcpus");

	if (!vcpus)
		return;
	JSON_FOREACH(vcpu, vcpus)
	{
		fprintf(out, "vCPU %" PRId64 ": %s (", value_number(vcpu, "vcpu"),
		        value_bool(vcpu, "boosted") ? "boosted" : "not boosted");
		print_escaped(out, value_text(vcpu, "reason", "-"));
		fputs("): ", out);
		print_escaped(out, value_text(vcpu, "text", ""));
		fputs("\n", out);
	}
}
