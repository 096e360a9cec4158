// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/report_doctor.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/run.h"
#include "daemon/left_out.h"
#include "daemon/quota_fix.h"
#include "daemon/report_cgroups.h"
#include "daemon/report_interrupts.h"
#include "daemon/report_json.h"
#include "daemon/report_levers.h"
#include "util/clock.h"

/* Room for a command with the name of a domain. */
#define FIX_MAX 512

static void check(cJSON *array, const char *name, const char *status, const char *fix,
                  const char *format, ...) PRINTF_FORMAT(5, 6);

static void check(cJSON *array, const char *name, const char *status, const char *fix,
                  const char *format, ...)
{
	cJSON *object = cJSON_CreateObject();
	char text[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	cJSON_AddStringToObject(object, "name", name);
	cJSON_AddStringToObject(object, "status", status);
	cJSON_AddStringToObject(object, "detail", text);
	cJSON_AddStringToObject(object, "fix", fix);
	cJSON_AddItemToArray(array, object);
}

static void check_switches(const struct plan_switches *switches, cJSON *array)
{
	if (!switches->enabled)
		check(array, "enabled", "warn", "set \"enabled\": true and pvschedctl reload",
		      "boosting is switched off in the configuration");
	else if (switches->disabled)
		check(array, "enabled", "warn", "pvschedctl enable",
		      "boosting is switched off by command");
	else
		check(array, "enabled", "ok", "", "boosting is on");
}

static void check_breaker(const struct breaker *breaker, cJSON *array)
{
	uint64_t now_ns = clock_now_ns();
	unsigned int ends = breaker_recent_ends(breaker, now_ns),
	             acts = breaker_recent_acts(breaker, now_ns),
	             minutes = breaker_minutes_left(breaker, now_ns);

	if (breaker->state == BREAKER_OPEN)
		check(array, "breaker", "fail", "journalctl -u pvschedd; pvschedctl enable",
		      "open, after repeated unclean ends (%u in the last ten minutes) or acts of "
		      "the guardian (%u): nothing is boosted, and it is tried again in %u min",
		      ends, acts, minutes);
	else if (breaker->state == BREAKER_HALF_OPEN)
		check(array, "breaker", "warn", "journalctl -u pvschedd",
		      "half open: vCPUs are boosted, and one unclean end opens it; it closes in "
		      "%u min",
		      minutes);
	else if (acts)
		check(array, "breaker", "warn",
		      "look for CPUs that stand still: a hypervisor's steal time, long interrupts",
		      "closed; the guardian gave everything back %u times in the last ten minutes, "
		      "since the booster was late; %d times open it",
		      acts, BREAKER_ACTS);
	else
		check(array, "breaker", "ok", "", "closed");
}

static void check_cgroups(const struct views *views, cJSON *array)
{
	char text[512];
	const char *fix;
	bool ok = report_cgroups(views, &fix, text, sizeof(text));

	check(array, "cgroups", ok ? "ok" : "warn", fix, "%s", text);
	/* pvschedctl, which does not know the configuration, would miss budgets that come when
	   they are needed; one that cannot be granted has a line of its domain */
	if (views->cgroup && views->cgroup->kind == PROCFS_CGROUP_V1 &&
	    config_host(views->config)->grant_rt_budget)
		check(array, "rt_group_sched", "ok", "",
		      "cgroups get RT budgets as they need them, where this kernel has any: "
		      "host.grant_rt_budget");
}

static void check_sources(const struct views *views, cJSON *array)
{
	bool hinted = hints_ok(views->hints), ok = false;
	char text[512] = "";

	/* said in any case: pvschedctl, which cannot know, believes that libvirt is needed */
	if (!discovery_describe(views->discovery, DOMAIN_SOURCE_LIBVIRT, &ok, text, sizeof(text)))
		check(array, "libvirt", "ok", "", "not asked: host.discovery does not name it");
	else
		check(array, "libvirt", ok ? "ok" : "warn",
		      ok ? ""
		         : "where none runs: systemctl start libvirtd, or virtqemud; on Proxmox: "
		           "apt "
		           "install pvschedd-proxmox; on another host without libvirt: "
		           "host.discovery [\"procfs\"] and pvschedctl reload",
		      "%s", text);
	if (discovery_describe(views->discovery, DOMAIN_SOURCE_PROCFS, &ok, text, sizeof(text)))
		check(array, "procfs", ok ? "ok" : "warn",
		      ok ? ""
		         : "where it may not look: install -Dm644 "
		           "/usr/share/pvschedd/guest-pages.conf "
		           "/etc/systemd/system/pvschedd.service.d/guest-pages.conf; systemctl "
		           "daemon-reload; systemctl restart pvschedd; where " VM_CONF_DIR
		           " does not answer: systemctl status pve-cluster",
		      "%s", text);
	check(array, "proc_connector", hinted ? "ok" : "warn",
	      hinted ? "" : hints_fix(views->hints), "%s",
	      hinted ? "new vCPUs are seen at once" : hints_why(views->hints));
	ok = reader_process_describe(views->reader, text, sizeof(text));
	check(array, "reader", ok ? "ok" : "warn",
	      ok ? "" : "find out what holds these QEMUs up; stop and start their domains", "%s",
	      text);
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
	check(array, "interrupts", blind ? "warn" : "ok",
	      blind ? "a kernel whose KVM has tracepoints, or CAP_PERFMON and CAP_BPF" : "", "%s",
	      text);
}

static void check_tracer(const struct views *views, const struct tracer_totals *totals,
                         const struct booster_totals *booster, cJSON *array)
{
	if (!views->tracer)
		check(array, "tracer", "fail",
		      "where an operation is not permitted: CAP_BPF, CAP_PERFMON, no lockdown; "
		      "where it has no "
		      "BTF: a "
		      "kernel with CONFIG_DEBUG_INFO_BTF; else boot an earlier kernel, and report "
		      "this line with `uname -r`",
		      "%s", views->tracer_why);
	else if (switches_now(views->switches)->deadlines_refused)
		check(array, "tracer", "fail", "free memory; else report it with `uname -r`",
		      "the kernel refused many of its timers (%s): nothing is boosted for some "
		      "seconds",
		      strerror(-totals->deadline_error));
	else
		check(array, "tracer",
		      totals->events_lost || booster->deadlines_missed || totals->deadlines_refused
		              ? "warn"
		              : "ok",
		      booster->deadlines_missed ? "look for CPUs that stand still: a hypervisor's "
		                                  "steal time, long interrupts"
		      : totals->deadlines_refused ? "free memory; else report it with `uname -r`"
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
		check(array, name, "warn",
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
		check(array, "cpu_real_time", "warn",
		      "look for the threads: ps -eLo cls,rtprio,psr,pid,tid,time,comm | grep -E "
		      "'FF|RR'",
		      "on %u CPU(s) real-time threads of other programs leave no time for boosts: "
		      "on "
		      "CPU %u real-time threads ran for %llu permille of the last second, and "
		      "boosts end before %u",
		      full, cpu, (unsigned long long)(most_ns / NSEC_PER_MSEC),
		      views->sheet_permille);
	else
		check(array, "cpu_real_time", "ok", "",
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
	check(array, "levers", "ok", "", "%s", text);
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
	check(array, "booster", realtime ? "ok" : "fail",
	      realtime ? "" : "give pvschedd CAP_SYS_NICE and its cgroup an RT budget",
	      realtime ? "it has its real-time priority"
	               : "the kernel refuses it a real-time priority: nothing is boosted");
	check(array, "guardian", guarded ? "ok" : "fail",
	      guarded ? "" : "systemctl restart pvschedd",
	      guarded ? "it answers" : "there is none: nothing is boosted");
}

/* Where budgets are granted already, what keeps this one back is not the configuration. */
static const char *budget_fix(bool granted)
{
	return granted ? "journalctl -u pvschedd says why it is not granted: a read-only file "
	                 "system "
	                 "needs a drop-in with ProtectControlGroups=no, a full parent a larger "
	                 "budget"
	               : "set host.grant_rt_budget: true; under systemd also a drop-in with "
	                 "ProtectControlGroups=no; then: systemctl restart pvschedd";
}

/* A domain in which no vCPU is found. */
static void check_no_vcpu(const struct inventory_domain *d, const char *title, cJSON *array)
{
	char fix[FIX_MAX];

	if (d->seen->left_out.threads || d->seen->left_out.vcpus)
		return; /* they may be among these, which have a line of their own */
	if (d->seen->names_threads)
		check(array, title, "warn", "",
		      "no thread of process %d is named as a vCPU's, though it was started with "
		      "debug-threads=on: it has none, or one thread emulates all",
		      d->seen->qemu.tid);
	if (d->seen->names_threads)
		return;
	snprintf(fix, sizeof(fix), "start QEMU with -name %s,debug-threads=on", report_word(d));
	check(array, title, "warn", fix, "no thread of process %d is named as a vCPU's",
	      d->seen->qemu.tid);
}

static void check_vcpu_group(const struct views *views, const struct inventory_domain *d,
                             const struct vcpu_thread *thread, const char *title, cJSON *array)
{
	bool granted = config_host(views->config)->grant_rt_budget;
	char group[CGROUP_GROUP_MAX], fix[FIX_MAX];

	if (!views->cgroup || !thread->cgroup[0])
		return;
	if (cgroup_find_quota(views->cgroup, thread->cgroup, group, sizeof(group)) == 0) {
		quota_fix(d, thread->cgroup, group, fix, sizeof(fix));
		check(array, title, "warn", fix,
		      "vCPU %u: a CFS quota holds in group %s; real-time time would escape it, so "
		      "it is not boosted",
		      thread->index, group);
	}
	if (cgroup_rt_refusal(views->cgroup, thread->cgroup, group, sizeof(group)) == 0)
		check(array, title, granted ? "warn" : "fail", budget_fix(granted),
		      "vCPU %u: group %s has no RT budget (RT_GROUP_SCHED)", thread->index, group);
}

/* What keeps single domains from being boosted though their profile wants it. */
static void check_domain(const struct views *views, const struct inventory_domain *d, cJSON *array)
{
	char name[REPORT_NAME_MAX], title[sizeof(name) + 16], text[LEFT_OUT_TEXT];
	struct domain_left_out left_out = d->seen->left_out;

	left_out.helpers += helper_threads_left_out(views->helpers, d);
	report_name(d, name);
	snprintf(title, sizeof(title), "domain %s", name);
	if (d->seen->source == DOMAIN_SOURCE_PROCFS && d->n_vcpus == 0)
		check_no_vcpu(d, title, array);
	if (left_out_text(&left_out, text, sizeof(text)))
		check(array, title, "warn", "", "%s", text);
	if (d->n_without_slot)
		check(array, title, "warn", "give domains that need no boost the profile \"off\"",
		      "%u of its vCPUs are neither measured nor boosted: the %u slots are taken",
		      d->n_without_slot, PVS_VCPUS_MAX);
	for (size_t i = 0; i < d->n_vcpus; i++) {
		const struct inventory_vcpu *v = &d->vcpus[i];

		if (v->slot == SLOT_NONE && v->untraced == POLICY_REASON_NOT_TRACED)
			check(array, title, "warn", "journalctl -u pvschedd",
			      "vCPU %u is neither measured nor boosted: the kernel or the booster "
			      "did not take its thread on",
			      v->thread.index);
		check_vcpu_group(views, d, &v->thread, title, array);
	}
}

/* A carrier that is there and may not be used; one that is not there is no fault. */
static void check_carrier(const struct views *views, const struct inventory_domain *d, cJSON *array)
{
	struct carrier_view carrier;
	const struct carrier_view *c = &carrier;
	char name[REPORT_NAME_MAX], title[sizeof(name) + 16];
	const char *why = NULL;
	char fix[FIX_MAX];

	carriers_read(views->carriers, d, &carrier);
	if (!c->carrier && c->problem > CARRIER_ABSENT)
		why = carrier_problem_text((enum carrier_problem)c->problem);
	else if (!c->carrier && c->error && c->error != -EPERM)
		why = strerror(-c->error);
	if (!why)
		return;
	if (d->seen->source == DOMAIN_SOURCE_LIBVIRT)
		snprintf(fix, sizeof(fix), "see the detail; pvschedctl attach %s makes a safe one",
		         report_word(d));
	else
		snprintf(fix, sizeof(fix),
		         "see the detail; a safe one is a sealed memfd, see "
		         "pvsched-protocol(7)");
	report_name(d, name);
	snprintf(title, sizeof(title), "domain %s", name);
	check(array, title, "warn", fix, "guest pages: %s", why);
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
	check(array, "guest_pages", "ok",
	      "where guests ask: install -Dm644 /usr/share/pvschedd/guest-pages.conf "
	      "/etc/systemd/system/pvschedd.service.d/guest-pages.conf; systemctl daemon-reload; "
	      "systemctl restart pvschedd",
	      "not looked for: pvschedd has no CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH");
}

/* Domains that run and are not managed. */
static void check_room(const struct inventory *inventory, cJSON *array)
{
	if (inventory->n_refused)
		check(array, "domains", "warn", "",
		      "%zu domains are left out: %d are managed at most", inventory->n_refused,
		      PVS_DOMAINS_MAX);
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
	check_room(views->inventory, array);
	for (const struct inventory_domain *d = views->inventory->domains; d; d = d->next) {
		check_domain(views, d, array);
		check_carrier(views, d, array);
	}
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
