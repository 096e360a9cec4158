// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "agent/aside_report.h"
#include "util/cleanup.h"
#include "util/clock.h"

/* Rates are of at least so long. */
#define RATE_MIN_NS (100 * NSEC_PER_MSEC)

static const char *const status_names[] = {
        [PVSCHED_STATUS_DISABLED] = "disabled",
        [PVSCHED_STATUS_ENABLED] = "enabled",
        [PVSCHED_STATUS_UNKNOWN_POLICY] = "unknown-policy",
        [PVSCHED_STATUS_ABI] = "abi-mismatch",
        [PVSCHED_STATUS_POLICY_VERSION] = "policy-version-mismatch",
        [PVSCHED_STATUS_PROTOCOL] = "protocol-mismatch",
        [PVSCHED_STATUS_MODE] = "mode-mismatch",
};

static const char *const urgency_names[] = {
        [PVSCHED_URGENCY_NONE] = "none",
        [PVSCHED_URGENCY_ORDINARY] = "ordinary",
        [PVSCHED_URGENCY_URGENT] = "urgent",
        [PVSCHED_URGENCY_INVALID] = "invalid",
};

static const char *const section_names[] = {"nmi", "hardirq", "softirq", "preempt"};

/* A JSON string; others than printable ASCII are left out, and none is expected. */
static void put_string(FILE *f, const char *text)
{
	fputc('"', f);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			fputc('\\', f);
		if (*text >= ' ' && *text <= '~')
			fputc(*text, f);
	}
	fputc('"', f);
}

static const char *yes(bool value)
{
	return value ? "true" : "false";
}

/* Names of the bits of @set, as a list. */
static void put_names(FILE *f, uint64_t set, const char *const names[], size_t n)
{
	const char *comma = "";

	fputc('[', f);
	for (size_t i = 0; i < n; i++) {
		if (!(set & (UINT64_C(1) << i)))
			continue;
		fprintf(f, "%s\"%s\"", comma, names[i]);
		comma = ",";
	}
	fputc(']', f);
}

static void put_channel(FILE *f, const struct agent *agent)
{
	const struct channel *c = &agent->channel;
	const struct pvsched_channel_answer *answer = &c->answer;

	fprintf(f,
	        "\"channel\":{\"state\":\"%s\",\"since_s\":%" PRIu64 ",\"served\":%s,"
	        "\"connects\":%" PRIu64 ",\"failed_tries\":%" PRIu32 ",\"states\":%" PRIu64,
	        channel_state_name(c->state), (clock_now_ns() - c->since_ns) / NSEC_PER_SEC,
	        yes(channel_is_served(c)), c->connects, c->tries, c->states);
	if (c->why[0]) {
		fputs(",\"last_error\":", f);
		put_string(f, c->why);
	}
	if (c->state == CHANNEL_ANSWERED) {
		fprintf(f, ",\"refusal\":\"%s\",\"refusal_text\":",
		        channel_refusal_name(answer->refusal));
		put_string(f, channel_refusal_text(answer->refusal));
		fprintf(f,
		        ",\"generation\":\"%016" PRIx64 "\",\"pages_found\":%u,"
		        "\"host_abi_version\":%u,\"policy\":{\"name\":",
		        (uint64_t)c->generation, answer->n_pages, answer->host_abi_version);
		put_string(f, answer->policy_name);
		fprintf(f, ",\"version\":%u}", answer->policy_version);
	}
	fputs("},", f);
}

static uint64_t hints_per_s(struct agent *agent, uint64_t hints)
{
	uint64_t now_ns = clock_now_ns(), passed_ns = now_ns - agent->hints_before_ns;
	uint64_t more = hints - agent->hints_before;

	if (passed_ns < RATE_MIN_NS)
		return 0;
	agent->hints_before = hints;
	agent->hints_before_ns = now_ns;
	return (uint64_t)((double)more * NSEC_PER_SEC / (double)passed_ns);
}

static void put_tracer(FILE *f, struct agent *agent)
{
	const char *names[_GUEST_SOURCE_MAX];
	uint32_t sources = guest_tracer_sources(agent->tracer);
	uint64_t hints = guest_tracer_hints(agent->tracer);

	for (size_t i = 0; i < _GUEST_SOURCE_MAX; i++)
		names[i] = guest_source_name(i);
	fprintf(f, "\"tracer\":{\"attached\":%s,\"sources\":",
	        yes(guest_tracer_is_attached(agent->tracer)));
	put_names(f, sources, names, _GUEST_SOURCE_MAX);
	fputs(",\"sources_missing\":", f);
	put_names(f, ~sources, names, _GUEST_SOURCE_MAX);
	fputs(",\"sections_unavailable\":", f);
	put_names(f, guest_tracer_unavailable(agent->tracer), section_names,
	          ARRAY_SIZE(section_names));
	fprintf(f, ",\"hints_total\":%" PRIu64 ",\"hints_per_s\":%" PRIu64 "},", hints,
	        hints_per_s(agent, hints));
}

static void put_task(FILE *f, const char *key, uint64_t tuple)
{
	fprintf(f, ",\"%s\":{\"policy\":%u,\"nice\":%d,\"rt_priority\":%u}", key,
	        (unsigned int)(tuple & 0xff), (int)(__s8)(tuple >> 8),
	        (unsigned int)(tuple >> 16) & 0xff);
}

/* What the page says to the host at this moment. */
static void put_words(FILE *f, const struct pvsched_page *page)
{
	uint64_t intent = PVS_LOAD(page->task_intent), sections = PVS_LOAD(page->cs_state);
	bool agent = PVS_LOAD(page->agent_generation) != 0;
	enum pvsched_urgency says = pvsched_request_urgency(PVS_LOAD(page->request));

	fprintf(f, ",\"request\":\"%s\"", urgency_names[says]);
	if (agent) {
		says = pvsched_urgency_merge(says, pvsched_intent_urgency(intent, sections));
		put_task(f, "task", intent);
		if (intent & PVS_INTENT_PENDING)
			put_task(f, "pending", intent >> 24);
		fprintf(f, ",\"idle\":%s,\"sections\":", yes(intent & PVS_INTENT_IDLE));
		put_names(f, sections, section_names, ARRAY_SIZE(section_names));
	}
	fprintf(f, ",\"says\":\"%s\"", urgency_names[says]);
}

static void put_line(FILE *f, const struct pvsched_channel_vcpu *line)
{
	fprintf(f,
	        ",\"status\":\"%s\",\"boosted\":%s,\"armed\":%s,\"preempted\":%s,"
	        "\"avoid\":%s,\"throttled\":%s,\"host_cpu\":%u,\"run_delay_ns\":%" PRIu64
	        ",\"boosted_ns\":%" PRIu64 ",\"boosts\":%" PRIu64 ",\"throttles\":%" PRIu64,
	        line->status < ARRAY_SIZE(status_names) ? status_names[line->status] : "unknown",
	        yes(pvsched_applied_boost(line->applied_state) != PVSCHED_BOOST_NONE),
	        yes(line->host_flags & PVSCHED_HOST_ARMED),
	        yes(line->host_flags & PVSCHED_HOST_PREEMPTED),
	        yes(line->host_flags & PVSCHED_HOST_AVOID),
	        yes(pvsched_applied_throttled(line->applied_state)), line->host_cpu,
	        (uint64_t)line->run_delay_ns, (uint64_t)line->boosted_ns, (uint64_t)line->boosts,
	        (uint64_t)line->throttles);
}

static void put_cpus(FILE *f, const struct agent *agent, bool root)
{
	const char *comma = "";

	fputs("\"cpus\":[", f);
	for (uint32_t i = 0; i < agent->n_cpus; i++) {
		const struct guest_cpu *cpu = &agent->cpus[i];
		const struct pvsched_channel_vcpu *line = clients_line(agent->clients, i);

		fprintf(f, "%s{\"cpu\":%u,\"online\":%s", comma, i, yes(cpu->online));
		if (cpu->apic_id != PVSCHED_APIC_ID_NONE)
			fprintf(f, ",\"apic_id\":%u", cpu->apic_id);
		if (root) /* no other user is told where memory of the kernel is */
			fprintf(f, ",\"address\":\"0x%" PRIx64 "\"", cpu->address);
		if (line)
			put_line(f, line);
		put_words(f, &agent->pages[i]);
		fputc('}', f);
		comma = ",";
	}
	fputs("],", f);
}

static void put_applications(FILE *f, const struct agent *agent)
{
	struct client_figures figures[SETTINGS_CLIENTS_MAX];
	size_t n = clients_figures(agent->clients, figures, ARRAY_SIZE(figures));

	fprintf(f, "\"applications\":{\"refused_total\":%" PRIu64 ",\"connections\":[",
	        clients_refused(agent->clients));
	for (size_t i = 0; i < n; i++)
		fprintf(f,
		        "%s{\"uid\":%u,\"pid\":%d,\"looks_total\":%" PRIu64
		        ",\"dropped_total\":%" PRIu64 ",\"urgent_cpus\":%u}",
		        i ? "," : "", (unsigned int)figures[i].of.uid, (int)figures[i].pid,
		        figures[i].of.looks, figures[i].of.dropped, figures[i].of.urgent);
	fputs("]}", f);
}

int report_make(struct agent *agent, bool root, int *ret, uint64_t *ret_size)
{
	int fd CLEANUP(cleanup_fd) = memfd_create("pvsched-status", MFD_CLOEXEC);
	char *text CLEANUP(cleanup_free) = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);

	if (!f || fd < 0) {
		cleanup_file(&f);
		return -errno;
	}
	fprintf(f, "{\"version\":\"%s\",", PVSCHEDD_VERSION);
	put_channel(f, agent);
	put_tracer(f, agent);
	put_cpus(f, agent, root);
	put_applications(f, agent);
	fputc(',', f);
	aside_report(f, agent->aside);
	fputs("}\n", f);
	if (fclose(f) != 0 || write(fd, text, size) != (ssize_t)size)
		return -ENOMEM;
	*ret = STEAL(fd, -1);
	*ret_size = size;
	return 0;
}
