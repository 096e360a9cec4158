// SPDX-License-Identifier: GPL-2.0-or-later
/* What stands in the way, all at once, each with what mends it. */
#include "daemon/manager.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

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

static void check_switches(struct manager *m, cJSON *array)
{
	if (!config_host(m->config)->enabled)
		check(array, "enabled", "warn", "set \"enabled\": true and pvschedctl reload",
		      "boosting is switched off in the configuration");
	else if (state_disabled(m->state))
		check(array, "enabled", "warn", "pvschedctl enable",
		      "boosting is switched off by command");
	else
		check(array, "enabled", "ok", "", "boosting is on");
	if (state_breaker_open(m->state))
		check(array, "breaker", "fail", "journalctl -u pvschedd; pvschedctl enable",
		      "%d unclean ends in ten minutes: nothing is boosted", STATE_BREAKER_ENDS);
	else
		check(array, "breaker", "ok", "", "closed");
}

static void check_sources(struct manager *m, cJSON *array)
{
	char text[256];

	if (m->virt && virt_source_describe(m->virt, text, sizeof(text)))
		check(array, "libvirt", "ok", "", "%s", text);
	else if (m->virt)
		check(array, "libvirt", "warn", "systemctl start libvirtd", "%s", text);
	if (m->processes && process_source_describe(m->processes, text, sizeof(text)))
		check(array, "procfs", "ok", "", "%s", text);
	else if (m->processes)
		check(array, "procfs", "warn",
		      "where it may not look: install -Dm644 "
		      "/usr/share/pvschedd/guest-pages.conf "
		      "/etc/systemd/system/pvschedd.service.d/guest-pages.conf; systemctl "
		      "daemon-reload; systemctl restart pvschedd",
		      "%s", text);
	check(array, "proc_connector", m->procconn ? "ok" : "warn",
	      m->procconn ? "" : "give pvschedd CAP_NET_ADMIN", "%s",
	      m->procconn ? "new vCPUs are seen at once" : m->procconn_why);
}

static bool runs_kvm(const struct manager *m)
{
	for (const struct managed_domain *d = m->domains; d; d = d->next)
		for (size_t i = 0; i < d->n_vcpus; i++)
			if (d->vcpus[i].thread.kvm)
				return true;
	return false;
}

/* A host whose guests are emulated has none of these tracepoints, and misses none. */
static void check_interrupts(struct manager *m, const struct tracer_totals *totals, cJSON *array)
{
	const struct tracer_sources *sources = m->tracer ? tracer_sources(m->tracer) : NULL;
	bool blind = sources && !sources->apic_accept_irq && runs_kvm(m);
	char text[512];

	/* a part that was refused has a line of its own */
	if (!sources || !(tracer_parts(m->tracer)->loaded & PVS_PART_INTERRUPTS))
		return;
	report_interrupts_seen(m->tracer, &totals->interrupts, text, sizeof(text));
	check(array, "interrupts", blind ? "warn" : "ok",
	      blind ? "a kernel whose KVM has tracepoints, or CAP_PERFMON and CAP_BPF" : "", "%s",
	      text);
}

static void check_tracer(struct manager *m, const struct tracer_totals *totals,
                         const struct booster_totals *booster, cJSON *array)
{
	if (!m->tracer)
		check(array, "tracer", "fail",
		      "where an operation is not permitted: CAP_BPF, CAP_PERFMON, no lockdown; "
		      "where it has no "
		      "BTF: a "
		      "kernel with CONFIG_DEBUG_INFO_BTF; else boot an earlier kernel, and report "
		      "this line with `uname -r`",
		      "%s", m->tracer_why);
	else if (m->deadlines_retry)
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

static void check_parts(struct manager *m, cJSON *array)
{
	struct tracer_totals totals = {0};
	struct booster_totals booster = {0};

	if (m->tracer)
		tracer_totals(m->tracer, &totals);
	booster_read_totals(m->booster, &booster);
	check_tracer(m, &totals, &booster, array);
	if (m->tracer)
		check_tracer_parts(m->tracer, array);
	check_interrupts(m, &totals, array);
	check(array, "booster", m->booster_realtime ? "ok" : "fail",
	      m->booster_realtime ? "" : "give pvschedd CAP_SYS_NICE and its cgroup an RT budget",
	      m->booster_realtime
	              ? "it has its real-time priority"
	              : "the kernel refuses it a real-time priority: nothing is boosted");
	check(array, "guardian", guard_answers(m) ? "ok" : "fail",
	      guard_answers(m) ? "" : "systemctl restart pvschedd",
	      guard_answers(m) ? "it answers" : "there is none: nothing is boosted");
}

/* What keeps single domains from being boosted though their profile wants it. */
static void check_domain(struct manager *m, struct managed_domain *d, cJSON *array)
{
	char name[DOMAIN_NAME_MAX * 4], group[CGROUP_GROUP_MAX], title[sizeof(name) + 16];

	report_name(d, name, sizeof(name));
	snprintf(title, sizeof(title), "domain %s", name);
	if (d->seen->source == DOMAIN_SOURCE_PROCFS && d->n_vcpus == 0)
		check(array, title, "warn", "start QEMU with -name NAME,debug-threads=on",
		      "no thread of process %d is named as a vCPU's", d->seen->qemu.tid);
	for (size_t i = 0; i < d->n_vcpus; i++) {
		const struct managed_vcpu *v = &d->vcpus[i];

		if (!m->has_cgroup || !v->thread.cgroup[0])
			continue;
		if (cgroup_find_quota(&m->cgroup, v->thread.cgroup, group, sizeof(group)) == 0)
			check(array, title, "warn",
			      d->seen->source == DOMAIN_SOURCE_LIBVIRT
			              ? "virsh schedinfo DOMAIN --set vcpu_quota=-1"
			              : "take the limit away (Proxmox: qm set VMID --delete "
			                "cpulimit)",
			      "vCPU %u: a CFS quota holds in group %s; real-time time would escape "
			      "it, so it is not boosted",
			      v->thread.index, group);
		if (cgroup_rt_refusal(&m->cgroup, v->thread.cgroup, group, sizeof(group)) == 0)
			check(array, title,
			      config_host(m->config)->grant_rt_budget ? "warn" : "fail",
			      "set host.grant_rt_budget: true and pvschedctl reload",
			      "vCPU %u: group %s has no RT budget (RT_GROUP_SCHED)",
			      v->thread.index, group);
	}
}

/* A carrier that is there and may not be used; one that is not there is no fault. */
static void check_carrier(const struct managed_domain *d, cJSON *array)
{
	const struct managed_carrier *c = &d->pages;
	char name[DOMAIN_NAME_MAX * 4], title[sizeof(name) + 16];
	const char *why = NULL, *fix = "see the detail; pvschedctl attach DOM makes a safe one";

	if (c->carrier && c->shared)
		why = "another domain has the same memory: neither guest is heard";
	else if (!c->carrier && c->problem > CARRIER_ABSENT)
		why = carrier_problem_text((enum carrier_problem)c->problem);
	else if (!c->carrier && c->error && c->error != -EPERM)
		why = strerror(-c->error);
	if (!why)
		return;
	report_name(d, name, sizeof(name));
	snprintf(title, sizeof(title), "domain %s", name);
	check(array, title, "warn", fix, "guest pages: %s", why);
}

/* One line for all domains: it is the daemon that may not look. */
static void check_may_look(struct manager *m, cJSON *array)
{
	bool may = true;

	for (const struct managed_domain *d = m->domains; d; d = d->next)
		may = may && d->pages.error != -EPERM;
	if (may)
		return;
	check(array, "guest_pages", "ok",
	      "where guests ask: install -Dm644 /usr/share/pvschedd/guest-pages.conf "
	      "/etc/systemd/system/pvschedd.service.d/guest-pages.conf; systemctl daemon-reload; "
	      "systemctl restart pvschedd",
	      "not looked for: pvschedd has no CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH");
}

struct cJSON *report_doctor(struct manager *m)
{
	cJSON *root = cJSON_CreateObject();
	cJSON *array = cJSON_AddArrayToObject(root, "checks");

	check_switches(m, array);
	check_parts(m, array);
	check_sources(m, array);
	check_may_look(m, array);
	for (struct managed_domain *d = m->domains; d; d = d->next) {
		check_domain(m, d, array);
		check_carrier(d, array);
	}
	return root;
}
