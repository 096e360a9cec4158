// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/report_sources.h"

#include <stdio.h>
#include <string.h>

#include "daemon/report_cgroups.h"
#include "daemon/report_tracer.h"

#define DETAIL_MAX sizeof(((struct report_source *)0)->detail)

/* Where the booster runs and how it waits. */
static void describe_booster(const struct views *views, const struct booster_totals *totals,
                             char *text, size_t size)
{
	const struct cpu_set_bits *cpus = &config_host(views->config)->booster_cpus;
	bool realtime = switches_now(views->switches)->booster_realtime;
	char list[128] = "any";

	if (!cpu_set_bits_empty(cpus))
		cpulist_format(cpus, list, sizeof(list));
	snprintf(text, size, "%swaits by %s, on CPUs: %s",
	         realtime ? "" : "without a real-time priority; ",
	         totals->wait == BOOSTER_WAIT_IO_URING ? "io_uring" : "epoll", list);
	if (totals->wait_error < 0) {
		size_t length = strlen(text);

		snprintf(text + length, size - length, "; io_uring: %s",
		         strerror(-totals->wait_error));
	}
}

static void look_at_guardian(const struct views *views, struct report_source *ret)
{
	const struct guardian *guardian = guard_guardian(views->guard);
	bool held = apply_holds(views->apply) & POLICY_HOLD(POLICY_REASON_GUARDIAN);

	ret->name = "guardian";
	ret->ok = guard_answers(views->guard) && !held;
	if (guardian && !guardian_realtime(guardian))
		snprintf(ret->detail, DETAIL_MAX, "without a real-time priority");
	else if (guardian && held)
		snprintf(ret->detail, DETAIL_MAX, "it acted, or does not answer");
	else if (guardian)
		snprintf(ret->detail, DETAIL_MAX, "pid %d", guardian_pid(guardian));
	else
		snprintf(ret->detail, DETAIL_MAX, "none runs");
}

static void look_at_tracer(const struct views *views, struct report_source *ret)
{
	ret->name = "bpf";
	ret->ok = views->tracer != NULL;
	if (views->tracer)
		report_tracer_sources(views->tracer, ret->detail, DETAIL_MAX);
	else
		snprintf(ret->detail, DETAIL_MAX, "%s", views->tracer_why);
}

size_t report_sources(const struct views *views, const struct booster_totals *totals,
                      struct report_source ret[REPORT_SOURCES_MAX])
{
	struct report_source *source = ret;
	const char *fix;

	for (int i = 0; i < _DOMAIN_SOURCE_MAX; i++) {
		*source = (struct report_source){.name = domain_source_name((enum domain_source)i)};
		if (discovery_describe(views->discovery, (enum domain_source)i, &source->ok,
		                       source->detail, DETAIL_MAX))
			source++;
	}
	source->name = "cgroups";
	source->ok = report_cgroups(views, &fix, source->detail, DETAIL_MAX);
	source++;
	look_at_tracer(views, source++);
	source->name = "proc_connector";
	source->ok = hints_ok(views->hints);
	snprintf(source->detail, DETAIL_MAX, "%s", hints_why(views->hints));
	source++;
	look_at_guardian(views, source++);
	source->name = "reader";
	source->ok = reader_process_describe(views->reader, source->detail, DETAIL_MAX);
	source++;
	source->name = "booster";
	source->ok = switches_now(views->switches)->booster_realtime;
	describe_booster(views, totals, source->detail, DETAIL_MAX);
	source++;
	return (size_t)(source - ret);
}
