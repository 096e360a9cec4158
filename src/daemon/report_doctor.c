// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/report_doctor.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/run.h"
#include "daemon/report_agents.h"
#include "daemon/report_cgroups.h"
#include "daemon/report_check.h"
#include "daemon/report_costs.h"
#include "daemon/report_doctor_domains.h"
#include "daemon/report_interrupts.h"
#include "daemon/report_json.h"
#include "daemon/report_levers.h"
#include "util/advice.h"
#include "util/clock.h"

static void check_switches(const struct plan_switches *switches, cJSON *array)
{
	if (!switches->enabled)
		report_check(array, "enabled", "warn",
		             "set \"enabled\": true and pvschedctl reload",
		             "boosting is switched off in the configuration");
	else if (switches->disabled)
		report_check(array, "enabled", "warn", "pvschedctl enable",
		             "boosting is switched off by command");
	else
		report_check(array, "enabled", "ok", "", "boosting is on");
}

static void check_breaker(const struct breaker *breaker, cJSON *array)
{
	uint64_t now_ns = clock_now_ns();
	unsigned int ends = breaker_recent_ends(breaker, now_ns),
	             acts = breaker_recent_acts(breaker, now_ns),
	             minutes = breaker_minutes_left(breaker, now_ns);

	if (breaker->state == BREAKER_OPEN)
		report_check(
		        array, "breaker", "fail", "journalctl -u pvschedd; pvschedctl enable",
		        "open, after repeated unclean ends (%u in the last ten minutes) or acts of "
		        "the guardian (%u): nothing is boosted, and it is tried again in %u min",
		        ends, acts, minutes);
	else if (breaker->state == BREAKER_HALF_OPEN)
		report_check(
		        array, "breaker", "warn", "journalctl -u pvschedd",
		        "half open: vCPUs are boosted, and one unclean end opens it; it closes in "
		        "%u min",
		        minutes);
	else if (acts)
		report_check(array, "breaker", "warn",
		             "look for CPUs that stand still: a hypervisor's steal time, long "
		             "interrupts",
		             "closed; the guardian gave everything back %u times in the last ten "
		             "minutes, "
		             "since the booster was late; %d times open it",
		             acts, BREAKER_ACTS);
	else
		report_check(array, "breaker", "ok", "", "closed");
}

static void check_cgroups(const struct views *views, cJSON *array)
{
	char text[512];
	const char *fix;
	bool ok = report_cgroups(views, &fix, text, sizeof(text));

	report_check(array, "cgroups", ok ? "ok" : "warn", fix, "%s", text);
}

static void check_sources(const struct views *views, cJSON *array)
{
	bool hinted = hints_ok(views->hints), ok = false;
	char text[512] = "";

	/* said in any case: pvschedctl, which cannot know, believes that libvirt is needed */
	if (!discovery_describe(views->discovery, DOMAIN_SOURCE_LIBVIRT, &ok, text, sizeof(text)))
		report_check(array, "libvirt", "ok", "",
		             "not asked: host.discovery does not name it");
	else
		report_check(
		        array, "libvirt", ok ? "ok" : "warn",
		        ok ? ""
		           : "where none runs: systemctl start libvirtd, or virtqemud; on Proxmox: "
		             "apt "
		             "install pvschedd-proxmox; on another host without libvirt: "
		             "host.discovery [\"procfs\"] and pvschedctl reload",
		        "%s", text);
	if (discovery_describe(views->discovery, DOMAIN_SOURCE_PROCFS, &ok, text, sizeof(text)))
		report_check(array, "procfs", ok ? "ok" : "warn",
		             ok ? ""
		                : "where it may not look: " ADVICE_GUEST_PAGES
		                  "; where " VM_CONF_DIR
		                  " does not answer: systemctl status pve-cluster",
		             "%s", text);
	report_check(array, "proc_connector", hinted ? "ok" : "warn",
	             hinted ? "" : hints_fix(views->hints), "%s",
	             hinted ? "new vCPUs are seen at once" : hints_why(views->hints));
	ok = reader_process_describe(views->reader, text, sizeof(text));
	report_check(array, "reader", ok ? "ok" : "warn",
	             ok ? "" : "find out what holds these QEMUs up; stop and start their domains",
	             "%s", text);
}

static bool runs_kvm(const struct views *views)
{
	for (const struct inventory_domain *d = views->inventory->domains; d; d = d->next)
		for (size_t i = 0; i < d->n_vcpus; i++)
			if (d->vcpus[i].thread.kvm)
				return true;
	return false;
}

/* A host whose guests are emulated has none of these tracepoints, and misses none. */
static void check_interrupts(const struct views *views, const struct tracer_totals *totals,
                             cJSON *array)
{
	const struct tracer_sources *sources = views->tracer ? tracer_sources(views->tracer) : NULL;
	bool blind = sources && !sources->apic_accept_irq && runs_kvm(views);
	char text[512];

	/* a part that was refused has a line of its own */
	if (!sources || !(tracer_parts(views->tracer)->loaded & PVS_PART_INTERRUPTS))
		return;
	report_interrupts_seen(views->tracer, &totals->interrupts, text, sizeof(text));
	report_check(array, "interrupts", blind ? "warn" : "ok",
	             blind ? "a kernel whose KVM has tracepoints, or CAP_PERFMON and CAP_BPF" : "",
	             "%s", text);
}

static void check_tracer(const struct views *views, const struct tracer_totals *totals,
                         const struct booster_totals *booster, cJSON *array)
{
	if (!views->tracer)
		report_check(
		        array, "tracer", "fail",
		        "where an operation is not permitted: CAP_BPF, CAP_PERFMON, no lockdown; "
		        "where it has no "
		        "BTF: a "
		        "kernel with CONFIG_DEBUG_INFO_BTF; else boot an earlier kernel, and "
		        "report "
		        "this line with `uname -r`",
		        "%s", views->tracer_why);
	else if (switches_now(views->switches)->deadlines_refused)
		report_check(
		        array, "tracer", "fail", "free memory; else report it with `uname -r`",
		        "the kernel refused many of its timers (%s): nothing is boosted for some "
		        "seconds",
		        strerror(-totals->deadline_error));
	else
		report_check(array, "tracer",
		             totals->events_lost || booster->deadlines_missed ||
		                             totals->deadlines_refused
		                     ? "warn"
		                     : "ok",
		             booster->deadlines_missed
		                     ? "look for CPUs that stand still: a hypervisor's "
		                       "steal time, long interrupts"
		             : totals->deadlines_refused
		                     ? "free memory; else report it with `uname -r`"
		                     : "",
		             "%llu events lost, %llu deadlines missed, %llu timers refused by the "
		             "kernel%s%s",
		             (unsigned long long)totals->events_lost,
		             (unsigned long long)booster->deadlines_missed,
		             (unsigned long long)totals->deadlines_refused,
		             totals->deadlines_refused ? ", at last: " : "",
		             totals->deadlines_refused ? strerror(-totals->deadline_error) : "");
}

static void check_tracer_parts(const struct tracer *tracer, cJSON *array)
{
	const struct tracer_parts *parts = tracer_parts(tracer);
	char name[64];

	for (unsigned int part = 0; part < PVS_PARTS; part++) {
		if (parts->loaded & (1U << part))
			continue;
		snprintf(name, sizeof(name), "tracer: %s", tracer_part_name(part));
		report_check(
		        array, name, "warn",
		        "a newer pvschedd may know this kernel; report this line with `uname -r`",
		        "the kernel refuses this part: %s; so %s", parts->cause[part],
		        tracer_part_loss(part));
	}
}

/*
 * Boosts end before a sheet is full. So one that holds more is full of foreign real time, which is
 * not ours to end.
 */
static void check_sheets(const struct views *views, cJSON *array)
{
	uint64_t limit_ns = views->sheet_permille * NSEC_PER_MSEC, most_ns = 0, used_ns;
	uint64_t now_ns = clock_now_ns();
	unsigned int full = 0, cpu = 0;

	for (unsigned int i = 0; i < PVS_CPUS_MAX; i++) {
		used_ns = pvs_cpu_sheet_used(&views->accounts->cpus[i], now_ns);
		full += used_ns >= limit_ns;
		if (used_ns > most_ns) {
			most_ns = used_ns;
			cpu = i;
		}
	}
	if (full)
		report_check(
		        array, "cpu_real_time", "warn",
		        "look for the threads: ps -eLo cls,rtprio,psr,pid,tid,time,comm | grep -E "
		        "'FF|RR'",
		        "on %u CPU(s) real-time threads of other programs leave no time for "
		        "boosts: "
		        "on "
		        "CPU %u real-time threads ran for %llu permille of the last second, and "
		        "boosts end before %u",
		        full, cpu, (unsigned long long)(most_ns / NSEC_PER_MSEC),
		        views->sheet_permille);
	else
		report_check(
		        array, "cpu_real_time", "ok", "",
		        "on no CPU did real-time threads run for %u permille of the last second; "
		        "boosts "
		        "end before that",
		        views->sheet_permille);
}

/* A kernel without them is no fault: the real-time class does most. */
static void check_levers(const struct views *views, cJSON *array)
{
	char text[512];

	report_standing_levers(views, text, sizeof(text));
	report_check(array, "levers", "ok", "", "%s", text);
}

static void check_costs(const struct views *views, cJSON *array)
{
	char text[512];

	report_costs_text(views, text, sizeof(text));
	report_check(array, "costs", "ok", "", "%s", text);
}

static void check_parts(const struct views *views, cJSON *array)
{
	struct tracer_totals totals = {0};
	struct booster_totals booster = {0};
	bool realtime = switches_now(views->switches)->booster_realtime;
	bool guarded = guard_answers(views->guard);

	if (views->tracer)
		tracer_totals(views->tracer, &totals);
	booster_read_totals(views->booster, &booster);
	check_tracer(views, &totals, &booster, array);
	if (views->tracer)
		check_tracer_parts(views->tracer, array);
	check_interrupts(views, &totals, array);
	check_sheets(views, array);
	check_levers(views, array);
	check_costs(views, array);
	report_check(array, "booster", realtime ? "ok" : "fail",
	             realtime ? "" : "give pvschedd CAP_SYS_NICE and its cgroup an RT budget",
	             realtime ? "it has its real-time priority"
	                      : "the kernel refuses it a real-time priority: nothing is boosted");
	report_check(array, "guardian", guarded ? "ok" : "fail",
	             guarded ? "" : "systemctl restart pvschedd",
	             guarded ? "it answers" : "there is none: nothing is boosted");
}

/* One line for all domains: it is the daemon that may not look. */
static void check_may_look(const struct views *views, cJSON *array)
{
	struct carrier_view carrier;
	bool may = true;

	for (const struct inventory_domain *d = views->inventory->domains; d; d = d->next) {
		carriers_read(views->carriers, d, &carrier);
		may = may && carrier.error != -EPERM;
	}
	if (may)
		return;
	report_check(array, "guest_pages", "ok", "where guests ask: " ADVICE_GUEST_PAGES,
	             "not looked for: pvschedd has no CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH");
}

static void check_agents(const struct views *views, cJSON *array)
{
	struct agent_finding found;

	report_agents_finding(views->agents, config_host(views->config), &found);
	report_check(array, "agents", found.status, found.fix, "%s", found.text);
}

/* Domains that run and are not managed. */
static void check_room(const struct inventory *inventory, cJSON *array)
{
	if (inventory->n_refused)
		report_check(array, "domains", "warn", "",
		             "%zu domains are left out: %d are managed at most",
		             inventory->n_refused, PVS_DOMAINS_MAX);
}

static const char *wait_name(const struct config_host *host)
{
	switch (host->booster_wait) {
	case CONFIG_BOOSTER_WAIT_AUTO:
		return "auto";
	case CONFIG_BOOSTER_WAIT_EPOLL:
		return "epoll";
	case CONFIG_BOOSTER_WAIT_IO_URING:
		return "io_uring";
	}
	return "?";
}

struct cJSON *report_doctor(const struct views *views)
{
	cJSON *root = cJSON_CreateObject();
	cJSON *array = cJSON_AddArrayToObject(root, "checks");

	report_integer(root, "rt_priority", config_host(views->config)->rt_priority);
	cJSON_AddStringToObject(root, "booster_wait", wait_name(config_host(views->config)));
	check_switches(switches_now(views->switches), array);
	check_breaker(switches_breaker(views->switches), array);
	check_parts(views, array);
	check_sources(views, array);
	check_cgroups(views, array);
	check_may_look(views, array);
	check_agents(views, array);
	check_room(views->inventory, array);
	report_doctor_domains(views, array);
	return root;
}

#define WRONG_MAX 16 /* in an answer that is mostly about something else */

static bool is_ok(const cJSON *check)
{
	const char *status = cJSON_GetStringValue(cJSON_GetObjectItem(check, "status"));

	return !status || strcmp(status, "ok") == 0;
}

void report_wrong(const struct views *views, cJSON *object)
{
	cJSON *root = report_doctor(views), *checks = cJSON_GetObjectItem(root, "checks");
	cJSON *wrong = cJSON_AddArrayToObject(object, "checks"), *next;
	int n = 0;

	for (cJSON *one = checks ? checks->child : NULL; one; one = next) {
		next = one->next;
		if (!is_ok(one) && n++ < WRONG_MAX && wrong)
			cJSON_AddItemToArray(wrong, cJSON_DetachItemViaPointer(checks, one));
	}
	report_integer(object, "wrong", n);
	cJSON_Delete(root);
}
