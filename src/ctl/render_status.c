// SPDX-License-Identifier: GPL-2.0-or-later
/* The answer to `status`. */
#include <inttypes.h>
#include <string.h>

#include "ctl/print.h"
#include "ctl/render.h"
#include "ctl/render_interrupts.h"
#include "ctl/value.h"
#include "util/cleanup.h"

static void render_sources(const struct json_value *sources, FILE *out)
{
	static const struct table_column columns[] = {
	        {"SOURCE", false}, {"STATE", false}, {"DETAIL", false}};
	CLEANUP(table_cleanup) struct table *table = table_new(columns, ARRAY_SIZE(columns));

	if (!sources)
		return;
	JSON_FOREACH(source, sources)
	{
		table_add(table, json_key(source) ? json_key(source) : "-");
		table_add(table, value_bool(source, "ok") ? "ok" : "FAILED");
		table_add(table, value_text(source, "detail", ""));
	}
	fputs("\n", out);
	table_print(table, out);
}

static void render_cpus(const struct json_value *cpus, FILE *out)
{
	static const struct table_column columns[] = {
	        {"CPU", true},      {"BURST USED", true}, {"LAST SECOND", true},
	        {"RT SHARE", true}, {"RT TOTAL", true},
	};
	CLEANUP(table_cleanup) struct table *table = table_new(columns, ARRAY_SIZE(columns));

	if (!cpus || !json_first(cpus))
		return;
	JSON_FOREACH(cpu, cpus)
	{
		cell_number(table, cpu, "cpu");
		cell_share(table, cpu, "burst_used_permille");
		cell_share(table, cpu, "sheet_used_permille");
		cell_share(table, cpu, "rt_permille");
		cell_duration(table, cpu, "rt_run_ns");
	}
	fputs("\n", out);
	table_print(table, out);
}

static void render_status_vcpus(const struct json_value *vcpus, FILE *out)
{
	static const struct table_column columns[] = {
	        {"DOMAIN", false}, {"VCPU", true},     {"TID", true},   {"PROFILE", false},
	        {"STATE", false},  {"BOOSTS", true},   {"WOULD", true}, {"DENIED", true},
	        {"BOOSTED", true}, {"WAIT p50", true}, {"p99", true},   {"p99.9", true},
	        {"max us", true},  {"REASON", false},
	};
	CLEANUP(table_cleanup) struct table *table = table_new(columns, ARRAY_SIZE(columns));

	if (!vcpus || !json_first(vcpus)) {
		fputs("\nNo vCPU is known: no domain runs, or none was found yet.\n", out);
		return;
	}
	JSON_FOREACH(vcpu, vcpus)
	{
		const struct json_value *wait = json_member(vcpu, "wait_us");
		int64_t denied = value_sum(json_member(vcpu, "denied_total"));

		cell_text(table, vcpu, "domain");
		cell_number(table, vcpu, "vcpu");
		cell_number(table, vcpu, "tid");
		cell_text(table, vcpu, "profile");
		cell_text(table, vcpu, "state");
		cell_number(table, vcpu, "boosts_total");
		cell_number(table, vcpu, "would_boost_total");
		table_addf(table, denied < 0 ? "-" : "%" PRId64, denied);
		cell_duration(table, vcpu, "boosted_ns");
		cell_number(table, wait, "p50");
		cell_number(table, wait, "p99");
		cell_number(table, wait, "p999");
		cell_number(table, wait, "max");
		cell_text(table, vcpu, "reason");
	}
	fputs("\n", out);
	table_print(table, out);
}

static void render_caps(const struct json_value *caps, FILE *out)
{
	if (!caps)
		return;
	fputs("Caps: a host CPU ", out);
	print_share(out, value_number(caps, "cpu_share_permille"));
	fputs(" (burst ", out);
	print_duration(out, value_ns_of_us(caps, "cpu_burst_us"));
	fputs("), a domain ", out);
	print_share(out, value_number(caps, "domain_share_permille"));
	fputs(" of one CPU (burst ", out);
	print_duration(out, value_ns_of_us(caps, "domain_burst_us"));
	fprintf(out, "), a vCPU %" PRId64 " changes/s; real time of a CPU in any second ",
	        value_number(caps, "max_changes_per_s"));
	print_share(out, value_number(caps, "sheet_permille"));
	fputs("\n", out);
}

static void render_slots(const struct json_value *slots, FILE *out)
{
	int64_t without = value_number(slots, "without");

	if (without > 0)
		fprintf(out,
		        "The %" PRId64 " slots are taken: %" PRId64
		        " vCPUs are neither measured nor boosted (reason no-slot)\n",
		        value_number(slots, "total"), without);
}

/* "Left out: 3 domains, 12 vCPUs: see pvschedctl doctor". */
static void render_left_out(const struct json_value *left_out, FILE *out)
{
	static const struct {
		const char *key, *name;
	} parts[] = {
	        {"domains", "domains"},
	        {"vcpus", "vCPUs"},
	        {"unproven_vcpus", "unproven vCPUs"},
	        {"threads", "threads of QEMU"},
	        {"helpers", "helpers"},
	        {"domains_with_descriptors", "domains' further descriptors"},
	};
	const char *separator = "Left out: ";

	for (size_t i = 0; left_out && i < ARRAY_SIZE(parts); i++) {
		int64_t n = value_number(left_out, parts[i].key);

		if (n <= 0)
			continue;
		fprintf(out, "%s%" PRId64 " %s", separator, n, parts[i].name);
		separator = ", ";
	}
	if (*separator == ',')
		fputs(": see pvschedctl doctor\n", out);
}

static void render_events(const struct json_value *events, FILE *out)
{
	int64_t missed = value_number(events, "deadlines_missed");
	int64_t refused = value_number(events, "deadlines_refused");

	fprintf(out, "Events: %" PRId64 " received, %" PRId64 " lost",
	        value_number(events, "received"), value_number(events, "lost"));
	if (missed > 0)
		fprintf(out, "; %" PRId64 " deadlines missed", missed);
	if (refused > 0)
		fprintf(out, "; %" PRId64 " timers refused by the kernel", refused);
	fputc('\n', out);
}

/* "Levers: rt; slice; no uclamp: this kernel has no CONFIG_UCLAMP_TASK". */
static void render_levers(const struct json_value *levers, FILE *out)
{
	const char *separator = "Levers: ";

	if (!levers)
		return;
	JSON_FOREACH(lever, levers)
	{
		bool available = value_bool(lever, "available");

		fputs(separator, out);
		separator = "; ";
		fputs(available ? "" : "no ", out);
		print_escaped(out, json_key(lever) ? json_key(lever) : "-");
		if (available)
			continue;
		fputs(": ", out);
		print_escaped(out, value_text(lever, "detail", "-"));
	}
	fputs("\n", out);
}

void render_status(const struct json_value *result, FILE *out)
{
	const struct json_value *events = json_member(result, "events");

	fputs("pvschedd ", out);
	print_escaped(out, value_text(result, "version", "(version unknown)"));
	fprintf(out, ": boosting is %s\n",
	        value_bool(result, "enabled") ? "enabled" : "disabled (pvschedctl enable)");
	if (strcmp(value_text(result, "breaker", "closed"), "open") == 0)
		fputs("The circuit breaker is open after repeated crashes or acts of the guardian, "
		      "so nothing is boosted for now. See the journal, then: pvschedctl enable\n",
		      out);
	if (value_number(result, "guardian_acts") > 0)
		fprintf(out,
		        "The guardian gave everything back %" PRId64
		        " times in ten minutes: see pvschedctl doctor\n",
		        value_number(result, "guardian_acts"));
	render_levers(json_member(result, "levers"), out);
	render_caps(json_member(result, "caps"), out);
	render_slots(json_member(result, "slots"), out);
	render_left_out(json_member(result, "left_out"), out);
	if (events)
		render_events(events, out);
	if (events)
		render_interrupt_counts(events, out);
	render_sources(json_member(result, "sources"), out);
	render_cpus(json_member(result, "cpus"), out);
	render_status_vcpus(json_member(result, "vcpus"), out);
}
