// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/report_doctor_domains.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/lacking_budgets.h"
#include "daemon/left_out.h"
#include "daemon/quota_fix.h"
#include "daemon/report_agents.h"
#include "daemon/report_check.h"
#include "daemon/report_json.h"

/* Room for a command with the name of a domain. */
#define FIX_MAX 512

/* By a real-time class. One that is only observed misses nothing that keeps it from that. */
static bool is_to_be_boosted(const struct views *views, const struct inventory_domain *d)
{
	const struct plan_domain *plan = planning_domain(views->planning, d);

	return plan && plan->profile.mode == PROFILE_BOOST &&
	       (plan->profile.levers & PROFILE_LEVER_RT);
}

/* What is granted comes when nothing else holds the vCPU, and goes when that is so again. */
static bool needs_budget(const void *userdata, const struct inventory_domain *d,
                         const struct inventory_vcpu *v)
{
	const struct views *views = userdata;
	bool held = v->quota || d->seen->state != DOMAIN_RUNNING ||
	            plan_host_holds(switches_now(views->switches));

	return is_to_be_boosted(views, d) && !(held && config_host(views->config)->grant_rt_budget);
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
		report_check(
		        array, title, "warn", "",
		        "no thread of process %d is named as a vCPU's, though it was started with "
		        "debug-threads=on: it has none, or one thread emulates all",
		        d->seen->qemu.tid);
	if (d->seen->names_threads)
		return;
	snprintf(fix, sizeof(fix), "start QEMU with -name %s,debug-threads=on", report_word(d));
	report_check(array, title, "warn", fix, "no thread of process %d is named as a vCPU's",
	             d->seen->qemu.tid);
}

static void check_vcpu_group(const struct views *views, const struct inventory_domain *d,
                             const struct inventory_vcpu *v, const char *title, cJSON *array)
{
	const struct vcpu_thread *thread = &v->thread;
	bool granted = config_host(views->config)->grant_rt_budget;
	char group[CGROUP_GROUP_MAX], fix[FIX_MAX];

	if (!views->cgroup || !thread->cgroup[0] || !is_to_be_boosted(views, d))
		return;
	if (cgroup_find_quota(views->cgroup, thread->cgroup, group, sizeof(group)) == 0) {
		quota_fix(d, thread->cgroup, group, fix, sizeof(fix));
		report_check(array, title, "warn", fix,
		             "vCPU %u: a CFS quota holds in group %s; real-time time would escape "
		             "it, so "
		             "it is not boosted",
		             thread->index, group);
	}
	if (needs_budget(views, d, v) &&
	    cgroup_rt_refusal(views->cgroup, thread->cgroup, group, sizeof(group)) == 0)
		report_check(array, title, granted ? "warn" : "fail", budget_fix(granted),
		             "vCPU %u: group %s has no RT budget (RT_GROUP_SCHED)", thread->index,
		             group);
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
		report_check(array, title, "warn", "", "%s", text);
	if (d->n_without_slot)
		report_check(
		        array, title, "warn", "give domains that need no boost the profile \"off\"",
		        "%u of its vCPUs are neither measured nor boosted: the %u slots are taken",
		        d->n_without_slot, PVS_VCPUS_MAX);
	for (size_t i = 0; i < d->n_vcpus; i++) {
		const struct inventory_vcpu *v = &d->vcpus[i];

		if (v->slot == SLOT_NONE && v->untraced == POLICY_REASON_NOT_TRACED)
			report_check(array, title, "warn", "journalctl -u pvschedd",
			             "vCPU %u is neither measured nor boosted: the kernel or the "
			             "booster "
			             "did not take its thread on",
			             v->thread.index);
		check_vcpu_group(views, d, v, title, array);
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
	report_check(array, title, "warn", fix, "guest pages: %s", why);
}

static void check_agent(const struct views *views, const struct inventory_domain *d, cJSON *array)
{
	char name[REPORT_NAME_MAX], title[sizeof(name) + 16];
	struct agent_finding found;

	if (!report_agent_finding(views->agents, d, &found))
		return;
	report_name(d, name);
	snprintf(title, sizeof(title), "domain %s", name);
	report_check(array, title, found.status, found.fix, "%s", found.text);
}

/* In place of pvschedctl's check, which does not know which domains are to be boosted. */
static void check_rt_budgets(const struct views *views, cJSON *array)
{
	bool granted = config_host(views->config)->grant_rt_budget;
	struct lacking_budgets lacking;

	if (!lacking_budgets_count(views->inventory, views->cgroup, needs_budget, views, &lacking))
		return;
	if (lacking.n_vcpus)
		report_check(array, "rt_group_sched", granted ? "warn" : "fail",
		             budget_fix(granted),
		             "CONFIG_RT_GROUP_SCHED: the kernel refuses %zu vCPUs that are to be "
		             "boosted, since group %s has no RT budget",
		             lacking.n_vcpus, lacking.group);
	else
		report_check(
		        array, "rt_group_sched", "ok", "",
		        granted ? "CONFIG_RT_GROUP_SCHED: groups get RT budgets as they need "
		                  "them (host.grant_rt_budget)"
		                : "CONFIG_RT_GROUP_SCHED: no domain that is to be boosted lacks "
		                  "an RT budget. To boost one whose group has none needs "
		                  "host.grant_rt_budget");
}

void report_doctor_domains(const struct views *views, cJSON *array)
{
	check_rt_budgets(views, array);
	for (const struct inventory_domain *d = views->inventory->domains; d; d = d->next) {
		check_domain(views, d, array);
		check_carrier(views, d, array);
		check_agent(views, d, array);
	}
}
