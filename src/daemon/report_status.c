// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/report_status.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/run.h"
#include "daemon/report_agents.h"
#include "daemon/report_costs.h"
#include "daemon/report_doctor.h"
#include "daemon/report_interrupts.h"
#include "daemon/report_json.h"
#include "daemon/report_levers.h"
#include "daemon/report_sources.h"
#include "daemon/report_top.h"
#include "daemon/report_tracer.h"
#include "daemon/report_vcpu.h"
#include "trace/blockers.h"
#include "util/clock.h"

static void add_sources(const struct views *views, const struct booster_totals *totals, cJSON *root)
{
	cJSON *sources = cJSON_AddObjectToObject(root, "sources");
	struct report_source found[REPORT_SOURCES_MAX];
	size_t n = report_sources(views, totals, found);

	for (size_t i = 0; i < n; i++) {
		cJSON *source = cJSON_AddObjectToObject(sources, found[i].name);

		cJSON_AddBoolToObject(source, "ok", found[i].ok);
		cJSON_AddStringToObject(source, "detail", found[i].detail);
	}
}

static void add_caps(const struct views *views, cJSON *root)
{
	const struct host_caps *caps = &config_host(views->config)->caps;
	cJSON *object = cJSON_AddObjectToObject(root, "caps");

	report_integer(object, "cpu_share_permille", caps->cpu_share_permille);
	report_integer(object, "cpu_burst_us", (int64_t)(caps->cpu_burst_ns / NSEC_PER_USEC));
	report_integer(object, "domain_share_permille", caps->domain_share_permille);
	report_integer(object, "domain_burst_us", (int64_t)(caps->domain_burst_ns / NSEC_PER_USEC));
	report_integer(object, "max_changes_per_s", caps->max_changes_per_s);
	report_integer(object, "sheet_permille", views->sheet_permille);
}

/* Of vCPUs that are measured. "without": vCPUs that have none, since others have all. */
static void add_slots(const struct views *views, cJSON *root)
{
	cJSON *object = cJSON_AddObjectToObject(root, "slots");
	int64_t used = 0, without = 0;

	for (const struct inventory_domain *d = views->inventory->domains; d; d = d->next) {
		without += d->n_without_slot;
		for (size_t i = 0; i < d->n_vcpus; i++)
			used += d->vcpus[i].slot != SLOT_NONE;
	}
	report_integer(object, "total", PVS_VCPUS_MAX);
	report_integer(object, "used", used);
	report_integer(object, "without", without);
}

/* What tables do not hold, summed over all domains. */
static void add_left_out(const struct views *views, cJSON *root)
{
	cJSON *member = cJSON_AddObjectToObject(root, "left_out");
	struct domain_left_out sum = {0};
	size_t descriptors = 0;

	for (const struct inventory_domain *d = views->inventory->domains; d; d = d->next) {
		const struct domain_left_out *one = &d->seen->left_out;

		sum.vcpus += one->vcpus;
		sum.unproven += one->unproven;
		sum.threads += one->threads;
		sum.helpers += one->helpers + helper_threads_left_out(views->helpers, d);
		descriptors += one->descriptors;
	}
	report_integer(member, "domains", (int64_t)views->inventory->n_refused);
	report_integer(member, "vcpus", (int64_t)sum.vcpus);
	report_integer(member, "unproven_vcpus", (int64_t)sum.unproven);
	report_integer(member, "threads", (int64_t)sum.threads);
	report_integer(member, "helpers", (int64_t)sum.helpers);
	report_integer(member, "domains_with_descriptors", (int64_t)descriptors);
}

/*
 * Use of the CPUs' RT share: of the burst, how much is taken now; real time of the last second, as
 * the sheet counts it, and of all time since the start.
 */
static void add_cpus(const struct views *views, cJSON *root)
{
	cJSON *array = cJSON_AddArrayToObject(root, "cpus");
	long n = sysconf(_SC_NPROCESSORS_CONF);
	uint64_t now_ns = clock_now_ns();
	struct pvs_bucket_rule rule = *views->accounts->cpu_rule;

	for (long i = 0; i < MIN(n, (long)PVS_CPUS_MAX); i++) {
		const struct pvs_cpu_account *cpu = &views->accounts->cpus[i];
		cJSON *object = cJSON_CreateObject();
		int64_t left_ns = pvs_bucket_tokens(&rule, cpu->repaid_at_ns, now_ns);
		int64_t burst_ns = (int64_t)rule.burst_ns;

		report_integer(object, "cpu", i);
		report_integer(object, "burst_used_permille",
		               (burst_ns - left_ns) * 1000 / burst_ns);
		report_integer(object, "sheet_used_permille",
		               (int64_t)(pvs_cpu_sheet_used(cpu, now_ns) / NSEC_PER_MSEC));
		report_integer(object, "rt_permille",
		               (int64_t)(cpu->rt_run_ns /
		                         MAX((now_ns - views->started_ns) / 1000, UINT64_C(1))));
		report_integer(object, "rt_run_ns", (int64_t)cpu->rt_run_ns);
		report_integer(object, "foreign_rt_ns", (int64_t)cpu->foreign_ns);
		cJSON_AddItemToArray(array, object);
	}
}

static void add_events(const struct views *views, const struct booster_totals *booster, cJSON *root)
{
	cJSON *object = cJSON_AddObjectToObject(root, "events");
	struct tracer_totals tracer = {0};

	if (views->tracer)
		tracer_totals(views->tracer, &tracer);
	report_integer(object, "received", (int64_t)booster->events);
	report_integer(object, "lost", (int64_t)tracer.events_lost);
	report_interrupt_counts(&tracer.interrupts, object);
	report_integer(object, "deadlines_missed", (int64_t)booster->deadlines_missed);
	report_integer(object, "deadlines_started", (int64_t)tracer.deadlines_started);
	report_integer(object, "deadlines_refused", (int64_t)tracer.deadlines_refused);
	report_integer(object, "notes_lost", (int64_t)booster->notes_lost);
	report_integer(object, "booster_wakeups", (int64_t)booster->wakeups);
	report_integer(object, "boosted_now", booster->boosted);
	report_integer(object, "waits_traced",
	               views->tracer ? tracer_waits_traced(views->tracer) : 0);
	report_integer(object, "proc_connector_lost", (int64_t)hints_lost_total(views->hints));
}

/* Each domain, and each of its vCPUs. */
static void add_domains(const struct views *views, cJSON *root)
{
	cJSON *domains = cJSON_AddArrayToObject(root, "domains");
	cJSON *vcpus = cJSON_AddArrayToObject(root, "vcpus");

	for (const struct inventory_domain *d = views->inventory->domains; d; d = d->next) {
		cJSON_AddItemToArray(domains, report_top_domain(views, d));
		for (size_t i = 0; i < d->n_vcpus; i++)
			cJSON_AddItemToArray(vcpus, report_vcpu(views, d, &d->vcpus[i]));
	}
}

struct cJSON *report_status(const struct views *views)
{
	cJSON *root = cJSON_CreateObject();
	struct booster_totals totals = {0};
	bool off = apply_holds(views->apply) & POLICY_HOLD(POLICY_REASON_DISABLED);

	cJSON_AddStringToObject(root, "version", PVSCHEDD_VERSION);
	cJSON_AddBoolToObject(root, "enabled", !off);
	cJSON_AddStringToObject(root, "breaker",
	                        breaker_state_name(switches_breaker(views->switches)->state));
	report_integer(root, "guardian_acts",
	               breaker_recent_acts(switches_breaker(views->switches), clock_now_ns()));
	report_integer(root, "unclean_ends",
	               breaker_recent_ends(switches_breaker(views->switches), clock_now_ns()));
	report_integer(root, "recovered_at_start", views->recovered);
	booster_read_totals(views->booster, &totals);
	add_sources(views, &totals, root);
	if (views->tracer)
		report_tracer_parts(views->tracer, root);
	report_levers(views, root);
	report_agents(views->agents, root);
	add_caps(views, root);
	report_costs(views, root);
	add_slots(views, root);
	add_left_out(views, root);
	add_cpus(views, root);
	add_events(views, &totals, root);
	add_domains(views, root);
	report_wrong(views, root);
	return root;
}
