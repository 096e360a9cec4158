// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/report_metrics.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/run.h"
#include "daemon/metrics_print.h"
#include "daemon/report_sources.h"
#include "policy/help.h"
#include "util/clock.h"
#include "util/wall_clock.h"

_Static_assert(REPORT_SOURCES_MAX <= METRICS_SOURCES_MAX, "room for all sources");

static void read_sources(const struct views *views, const struct booster_totals *totals,
                         struct metrics_data *data)
{
	struct report_source sources[REPORT_SOURCES_MAX];

	data->n_sources = report_sources(views, totals, sources);
	for (size_t i = 0; i < data->n_sources; i++)
		data->sources[i] = (struct metrics_source){sources[i].name, sources[i].ok};
}

static void add_agents(const struct agents *agents, struct metrics_data *data)
{
	struct agents_view view;

	agents_read_all(agents, &view);
	data->agents = (unsigned int)view.n_peers;
	data->agents_served = (unsigned int)view.n_served;
	data->agent_hellos = view.counters.hellos;
	data->agents_turned_away =
	        view.counters.refused_peers + view.counters.refused_rate + view.counters.bad_frames;
}

static void read_host(const struct views *views, struct metrics_data *data)
{
	uint64_t now_ns = clock_now_ns();
	struct booster_totals booster = {0};
	struct costs_view costs;
	struct tracer_totals tracer = {0};

	booster_read_totals(views->booster, &booster);
	costs_read(views->costs, &costs);
	if (views->tracer)
		tracer_totals(views->tracer, &tracer);
	data->version = PVSCHEDD_VERSION;
	data->taken_us = wall_clock_us();
	data->started_us = data->taken_us - (now_ns - views->started_ns) / NSEC_PER_USEC;
	data->enabled = !(apply_holds(views->apply) & POLICY_HOLD(POLICY_REASON_DISABLED));
	data->breaker_open = switches_breaker(views->switches)->state == BREAKER_OPEN;
	data->guardian_acts = breaker_recent_acts(switches_breaker(views->switches), now_ns);
	data->unclean_ends = breaker_recent_ends(switches_breaker(views->switches), now_ns);
	data->events_received = booster.events;
	data->events_lost = tracer.events_lost;
	data->notes_lost = booster.notes_lost;
	data->hints_lost = hints_lost_total(views->hints);
	data->deadlines_missed = booster.deadlines_missed;
	data->deadlines_refused = tracer.deadlines_refused;
	data->booster_wakeups = booster.wakeups;
	data->boosted = booster.boosted;
	add_agents(views->agents, data);
	data->sheet_permille = views->sheet_permille;
	data->costs = costs.now;
	data->prices = costs.prices;
	data->request_to_applied = booster.request_to_applied;
	read_sources(views, &booster, data);
}

static int read_cpus(const struct views *views, struct metrics_data *data)
{
	long n = MIN(sysconf(_SC_NPROCESSORS_CONF), (long)PVS_CPUS_MAX);
	uint64_t now_ns = clock_now_ns();

	data->cpus = calloc((size_t)MAX(n, 1L), sizeof(*data->cpus));
	if (!data->cpus)
		return -ENOMEM;
	for (long i = 0; i < n; i++) {
		const struct pvs_cpu_account *cpu = &views->accounts->cpus[i];

		data->cpus[data->n_cpus++] = (struct metrics_cpu){
		        .cpu = (unsigned int)i,
		        .rt_ns = cpu->rt_run_ns,
		        .foreign_ns = cpu->foreign_ns,
		        .sheet_used_ns = pvs_cpu_sheet_used(cpu, now_ns),
		};
	}
	return 0;
}

/* How often it waited for another one that was found. */
static uint64_t helps_of(const struct policy_view *view)
{
	uint64_t n = 0;

	for (size_t i = 0; i < HELP_NONE; i++)
		n += view->helps_total[i];
	return n;
}

/* Each vCPU once: for its own series, and for those of its domain. */
static void read_vcpus(const struct views *views, struct tally *tally,
                       const struct inventory_domain *domain, struct metrics_data *data)
{
	struct vcpu_snapshot snapshot;

	for (size_t i = 0; i < domain->n_vcpus; i++) {
		const struct inventory_vcpu *vcpu = &domain->vcpus[i];

		if (vcpu->slot == SLOT_NONE)
			continue;
		vcpu_snapshot_take(views, vcpu, &snapshot);
		tally_add(tally, domain, vcpu, &snapshot);
		data->vcpus[data->n_vcpus++] = (struct metrics_vcpu){
		        .domain = data->n_domains,
		        .index = vcpu->thread.index,
		        .boosts = snapshot.booster.view.boosts_total,
		        .interrupt_boosts = snapshot.booster.view.interrupts_total,
		        .pulses = snapshot.booster.view.pulses_total,
		        .helps = helps_of(&snapshot.booster.view),
		        .no_pulse = snapshot.booster.view.no_pulse_total,
		        .boosted_ns = snapshot.account.used_ns,
		        .run_ns = snapshot.account.run_ns,
		        .wait_ns = snapshot.account.wait_ns,
		};
	}
	data->slots_without += domain->n_without_slot;
}

static int read_domains(const struct views *views, struct tally *tally, struct metrics_data *data)
{
	size_t n_domains, n_vcpus = inventory_count(views->inventory, &n_domains);

	data->domains = calloc(MAX(n_domains, (size_t)1), sizeof(*data->domains));
	data->vcpus = calloc(MAX(n_vcpus, (size_t)1), sizeof(*data->vcpus));
	if (!data->domains || !data->vcpus)
		return -ENOMEM;
	for (const struct inventory_domain *d = views->inventory->domains; d; d = d->next) {
		read_vcpus(views, tally, d, data);
		data->domains[data->n_domains++] = (struct metrics_domain){
		        .name = d->seen->name,
		        .uuid = d->seen->uuid,
		        .profile = planning_domain(views->planning, d)->profile.name,
		        .vcpus = (unsigned int)d->n_vcpus,
		        .counts = tally_of(tally, d),
		};
	}
	data->slots_used = (unsigned int)data->n_vcpus;
	return metrics_name_domains(data->domains, data->n_domains);
}

int report_metrics_text(const struct views *views, struct tally *tally,
                        enum openmetrics_format format, struct openmetrics *ret)
{
	struct metrics_data data = {0};
	int r;

	*ret = OPENMETRICS_INIT(format, METRICS_TEXT_MAX);
	read_host(views, &data);
	r = read_cpus(views, &data);
	if (r == 0)
		r = read_domains(views, tally, &data);
	if (r == 0)
		r = metrics_print(&data, ret);
	free(data.domains);
	free(data.vcpus);
	free(data.cpus);
	return r;
}

struct cJSON *report_metrics(const struct views *views, struct tally *tally)
{
	cJSON *root = cJSON_CreateObject();
	struct openmetrics text;
	int r = report_metrics_text(views, tally, OPENMETRICS, &text);

	if (r < 0 || !cJSON_AddStringToObject(root, "text", text.text)) {
		cJSON_Delete(root);
		root = NULL;
	}
	openmetrics_clear(&text);
	return root;
}
