// SPDX-License-Identifier: GPL-2.0-or-later
#include "ctl/render_recommend.h"

#include <inttypes.h>
#include <string.h>

#include "ctl/print.h"
#include "ctl/value.h"
#include "util/cleanup.h"

/* "1.2 M", "12.3 k", "840" */
static void print_count(FILE *out, int64_t n)
{
	if (n >= 1000000)
		fprintf(out, "%.1f M", (double)n / 1e6);
	else if (n >= 10000)
		fprintf(out, "%.1f k", (double)n / 1e3);
	else
		fprintf(out, "%" PRId64, n);
}

static void print_need(const struct json_value *object, FILE *out)
{
	fputs("burst ", out);
	print_duration(out, value_ns_of_us(object, "burst_us"));
	fputs(", share ", out);
	print_share(out, value_number(object, "share_permille"));
	fputs(" of a CPU", out);
}

/* A name that a shell would take apart is told by its uuid. */
static void print_domain(const struct json_value *result, FILE *out)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	                            "0123456789._-";
	const char *name = value_text(result, "domain", "");

	if (name[0] == '-' || !name[0] || name[strspn(name, plain)])
		name = value_text(result, "uuid", "-");
	print_escaped(out, name);
}

static void print_gain(const struct json_value *result, FILE *out)
{
	fputs("  ", out);
	print_need(result, out);
	fputs(": covers ", out);
	print_share(out, value_number(result, "covered_permille"));
	fputs(" of ", out);
	print_count(out, value_number(result, "wakeups"));
	fputs(" wake-ups\n  price: boosted for ", out);
	print_share(out, value_number(result, "used_permille"));
	fputs(" of a CPU, all its vCPUs together; other threads wait for up to ", out);
	print_duration(out, value_ns_of_us(result, "burst_us"));
	fputs(" at once\n", out);
}

static void print_command(const struct json_value *result, FILE *out)
{
	if (value_bool(result, "automatic")) {
		fputs("  its profile applies that by itself: pvschedctl show ", out);
		print_domain(result, out);
		fputs("\n", out);
		return;
	}
	fputs("  pvschedctl policy set ", out);
	print_domain(result, out);
	fputs(" ", out);
	print_escaped(out, value_text(result, "profile", "latency"));
	fprintf(out, " --burst %" PRId64 "us --share %" PRId64 "\n",
	        value_number(result, "burst_us"), value_number(result, "share_permille"));
}

static void render_vcpus(const struct json_value *vcpus, FILE *out)
{
	static const struct table_column columns[] = {
	        {"VCPU", true},  {"VERDICT", false}, {"BURST", true},
	        {"SHARE", true}, {"COVERS", true},   {"NOW", true},
	        {"LATE", true},  {"WORK", true},     {"WAIT us", true},
	};
	CLEANUP(table_cleanup) struct table *table = table_new(columns, ARRAY_SIZE(columns));

	JSON_FOREACH(vcpu, vcpus)
	{
		cell_number(table, vcpu, "vcpu");
		cell_text(table, vcpu, json_member(vcpu, "reason") ? "reason" : "verdict");
		cell_number(table, vcpu, "burst_us");
		/* 0: not even a whole CPU is enough */
		if (value_number(vcpu, "share_permille") > 0)
			cell_share(table, vcpu, "share_permille");
		else
			table_add(table, "-");
		cell_share(table, vcpu, "covered_permille");
		cell_share(table, vcpu, "now_covered_permille");
		cell_share(table, vcpu, "late_permille");
		cell_share(table, vcpu, "used_permille");
		cell_number(table, vcpu, "wait_p99_us");
	}
	table_print(table, out);
}

bool is_recommended(const struct json_value *result)
{
	const char *verdict = value_text(result, "verdict", "-");

	return strcmp(verdict, "boost") == 0 || strcmp(verdict, "part") == 0;
}

void render_recommend(const struct json_value *result, FILE *out)
{
	const char *verdict = value_text(result, "verdict", "-");
	const struct json_value *vcpus = json_member(result, "vcpus");
	const struct json_value *limits = json_member(result, "limits");

	print_escaped(out, value_text(result, "domain", "-"));
	fputs(is_recommended(result)         ? ": recommended. "
	      : strcmp(verdict, "keep") == 0 ? ": as it should be. "
	                                     : ": not worth it. ",
	      out);
	print_escaped(out, value_text(result, "text", ""));
	if (json_member(result, "explanation")) {
		fputs(" ", out);
		print_escaped(out, value_text(result, "explanation", ""));
	}
	fputs("\n", out);
	if (is_recommended(result) || strcmp(verdict, "keep") == 0)
		print_gain(result, out);
	if (is_recommended(result))
		print_command(result, out);
	if (strcmp(verdict, "over-limits") == 0 && limits) {
		fputs("  it may have ", out);
		print_need(limits, out);
		fputs(", by the caps that bind it\n", out);
	}
	if (vcpus)
		render_vcpus(vcpus, out);
}

static void print_ago(const struct json_value *object, const char *key, FILE *out)
{
	int64_t s = value_number(object, key);

	if (s >= 0 && s < INT64_MAX / (int64_t)NSEC_PER_SEC)
		print_duration(out, s * (int64_t)NSEC_PER_SEC);
	else
		fputs("-", out);
}

void render_auto(const struct json_value *learned, FILE *out)
{
	bool boosts = learned && strcmp(value_text(learned, "applies", "-"), "boost") == 0;

	if (!learned)
		return;
	fputs(boosts ? "Learned: boosted, " : "Learned: observed", out);
	if (boosts) {
		print_need(learned, out);
		fputs(": covers ", out);
		print_share(out, value_number(learned, "covered_permille"));
		fputs(" of ", out);
		print_count(out, value_number(learned, "wakeups"));
		fputs(" wake-ups", out);
	}
	if (json_member(learned, "since_s")) {
		fputs("; for ", out);
		print_ago(learned, "since_s", out);
	}
	fputs("\n         ", out);
	if (json_member(learned, "looked_s")) {
		print_ago(learned, "looked_s", out);
		fputs(" ago: ", out);
	}
	print_escaped(out, value_text(learned, "text", ""));
	if (json_member(learned, "limits")) {
		fputs("\n         at most ", out);
		print_need(json_member(learned, "limits"), out);
	}
	fputs("\n", out);
}

void render_lacks_tokens(const struct json_value *domain, FILE *out)
{
	const struct json_value *lacks = json_member(domain, "lacks_tokens");

	if (!lacks)
		return;
	JSON_FOREACH(vcpu, lacks)
	{
		fprintf(out, "Late:    vCPU %" PRId64 " at ", value_number(vcpu, "vcpu"));
		print_share(out, value_number(vcpu, "late_permille"));
		fputs(" of its wake-ups, for want of tokens; ", out);
		if (value_number(vcpu, "share_permille") > 0)
			print_need(vcpu, out);
		else
			fputs("not even a whole CPU", out);
		fputs(" would cover 99 %: pvschedctl recommend\n", out);
	}
}
