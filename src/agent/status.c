// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/status.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/ask.h"
#include "util/cleanup.h"
#include "util/cpulist.h"
#include "util/json.h"

/* 512 CPUs take about 250 KiB. */
#define REPORT_MAX (4 * 1024 * 1024)

#define WAIT_US 5000000

static const char *text_of(const struct json_value *object, const char *key, const char *otherwise)
{
	const struct json_value *value = json_member(object, key);
	struct json_error error;
	const char *text;

	return value && json_as_string(value, &text, &error) == 0 ? text : otherwise;
}

static int64_t number_of(const struct json_value *object, const char *key)
{
	struct json_error error;
	int64_t number = 0;

	json_get_integer(object, key, 0, JSON_INTEGER_MAX, &number, &error);
	return number;
}

static bool is_true(const struct json_value *object, const char *key)
{
	struct json_error error;
	bool value = false;

	json_get_bool(object, key, &value, &error);
	return value;
}

/* "a, b" of a list of strings; "none" of an empty one. */
static void print_list(const char *label, const struct json_value *list)
{
	const char *comma = "", *text;
	struct json_error error;

	printf("%s", label);
	JSON_FOREACH(value, list)
	{
		if (json_as_string(value, &text, &error) == 0)
			printf("%s%s", comma, text);
		comma = ", ";
	}
	puts(*comma ? "" : "none");
}

static void print_channel(const struct json_value *channel)
{
	const struct json_value *policy = json_member(channel, "policy");

	if (is_true(channel, "served"))
		printf("host: served since %" PRId64 " s, policy %s version %" PRId64 ", %" PRId64
		       " pages\n",
		       number_of(channel, "since_s"), text_of(policy, "name", "?"),
		       number_of(policy, "version"), number_of(channel, "pages_found"));
	else if (json_member(channel, "refusal"))
		printf("host: not served: %s (%s)\n", text_of(channel, "refusal_text", "?"),
		       text_of(channel, "refusal", "?"));
	else
		printf("host: %s; %s\n", text_of(channel, "state", "?"),
		       text_of(channel, "last_error", "no connection was lost yet"));
}

static void print_tracer(const struct json_value *tracer)
{
	printf("hints: %" PRId64 " per second%s\n", number_of(tracer, "hints_per_s"),
	       is_true(tracer, "attached") ? "" : " (nothing is traced without a host)");
	print_list("not traced: ", json_member(tracer, "sources_missing"));
	print_list("cannot be said: ", json_member(tracer, "sections_unavailable"));
}

static const char *boost_of(const struct json_value *cpu)
{
	if (is_true(cpu, "throttled"))
		return "throttled";
	if (is_true(cpu, "boosted"))
		return is_true(cpu, "armed") ? "armed" : "boosted";
	return json_member(cpu, "status") ? "-" : "?";
}

static void print_cpus(const struct json_value *cpus)
{
	printf("\n%-5s %-6s %-18s %-10s %-10s %-9s %8s %9s %10s\n", "CPU", "APIC", "PAGE", "STATUS",
	       "BOOST", "SAYS", "BOOSTS", "THROTTLES", "WAITED-MS");
	JSON_FOREACH(cpu, cpus)
	{
		char apic[16] = "-";

		if (!is_true(cpu, "online"))
			continue;
		if (json_member(cpu, "apic_id"))
			snprintf(apic, sizeof(apic), "%" PRId64, number_of(cpu, "apic_id"));
		printf("%-5" PRId64 " %-6s %-18s %-10s %-10s %-9s %8" PRId64 " %9" PRId64
		       " %10" PRId64 "\n",
		       number_of(cpu, "cpu"), apic, text_of(cpu, "address", "-"),
		       text_of(cpu, "status", "-"), boost_of(cpu), text_of(cpu, "says", "?"),
		       number_of(cpu, "boosts"), number_of(cpu, "throttles"),
		       number_of(cpu, "run_delay_ns") / 1000000);
	}
}

static void print_applications(const struct json_value *applications)
{
	const struct json_value *connections = json_member(applications, "connections");

	if (!json_first(connections) && !number_of(applications, "refused_total"))
		return;
	printf("\nprograms (%" PRId64 " refused):\n%-8s %-8s %10s %8s %12s\n",
	       number_of(applications, "refused_total"), "PID", "UID", "LOOKS", "DROPPED",
	       "URGENT-CPUS");
	JSON_FOREACH(c, connections)
	{
		printf("%-8" PRId64 " %-8" PRId64 " %10" PRId64 " %8" PRId64 " %12" PRId64 "\n",
		       number_of(c, "pid"), number_of(c, "uid"), number_of(c, "looks_total"),
		       number_of(c, "dropped_total"), number_of(c, "urgent_cpus"));
	}
}

/* "2", "2-3"; of a list in JSON. */
static void print_cpu_list(const struct json_value *list)
{
	struct cpu_set_bits set = CPU_SET_BITS_NULL;
	struct json_error error;
	char text[4096];
	int64_t cpu;

	JSON_FOREACH(value, list)
	{
		if (json_as_integer(value, 0, CPU_SET_BITS_MAX - 1, &cpu, &error) == 0)
			cpu_set_bits_add(&set, (unsigned int)cpu);
	}
	cpulist_format(&set, text, sizeof(text));
	printf("%s", text[0] ? text : "none");
}

static void print_aside(const struct json_value *aside)
{
	const char *state = text_of(aside, "state", "?");

	if (strcmp(text_of(aside, "mode", "off"), "off") == 0 && strcmp(state, "back") == 0)
		return;
	printf("\nstep aside: %s, by %s: ", state, text_of(aside, "by", "?"));
	print_cpu_list(json_member(aside, "cpus"));
	if (json_member(aside, "since_s"))
		printf(" since %" PRId64 " s", number_of(aside, "since_s"));
	puts("");
	if (json_member(aside, "reason_text"))
		printf("            %s (%s)\n", text_of(aside, "reason_text", "?"),
		       text_of(aside, "reason", "?"));
	if (number_of(aside, "tasks_bound")) {
		printf("            %" PRId64 " tasks are bound to CPUs ",
		       number_of(aside, "tasks_bound"));
		print_cpu_list(json_member(aside, "left_out"));
		puts(", which stay in use");
	}
	if (number_of(aside, "irqs_fixed") || number_of(aside, "units_left"))
		printf("            not moved: %" PRId64 " interrupts, %" PRId64 " units\n",
		       number_of(aside, "irqs_fixed"), number_of(aside, "units_left"));
}

/* Returns 0; -errno: it is no report. */
static int print_report(const char *text, size_t size)
{
	struct json_doc *doc CLEANUP(json_cleanup) = NULL;
	struct json_error error;
	int r = json_parse(text, size, &doc, &error);

	if (r < 0)
		return r;
	print_channel(json_member(json_root(doc), "channel"));
	print_tracer(json_member(json_root(doc), "tracer"));
	print_cpus(json_member(json_root(doc), "cpus"));
	print_aside(json_member(json_root(doc), "step_aside"));
	print_applications(json_member(json_root(doc), "applications"));
	return 0;
}

static int ask(const char *path, char **ret, uint64_t *size)
{
	int fd CLEANUP(cleanup_fd) = -1, report CLEANUP(cleanup_fd) = -1;
	char *text CLEANUP(cleanup_free) = NULL;

	report = pvsched_ask(path, PVSCHED_AGENT_STATUS, WAIT_US, &fd, size);
	if (report < 0)
		return report;
	if (*size > REPORT_MAX)
		return -EFBIG;
	text = malloc(*size);
	if (!text)
		return -ENOMEM;
	if (pread(report, text, *size, 0) != (ssize_t)*size)
		return -EIO;
	*ret = STEAL(text, NULL);
	return 0;
}

enum agent_exit status_show(const char *path, bool json)
{
	char *text CLEANUP(cleanup_free) = NULL;
	uint64_t size = 0;
	int r = ask(path, &text, &size);

	if (r == -ENOENT || r == -ECONNREFUSED) {
		fprintf(stderr,
		        "pvsched-agent: no agent runs (%s: %s); start it: systemctl start "
		        "pvsched-agent\n",
		        path, strerror(-r));
		return AGENT_NO_CHANNEL;
	}
	if (r == 0 && json)
		r = fwrite(text, 1, size, stdout) == size ? 0 : -EIO;
	else if (r == 0)
		r = print_report(text, size);
	if (r < 0) {
		fprintf(stderr, "pvsched-agent: %s: %s%s\n", path, strerror(-r),
		        r == -EACCES ? "; only root and users that /etc/pvsched-agent.json names "
		                       "may ask"
		                     : "");
		return AGENT_FAILED;
	}
	return AGENT_DONE;
}
