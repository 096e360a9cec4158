/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Requests and what they ask: reports and parts only write down that they were called. For one
 * source of a program: it defines them.
 */
#include "daemon/avoid_requests.h"
#include "daemon/requests.h"

#include <cjson/cJSON.h>
#include <errno.h>

#include "boost/sched.h"
#include "daemon/report_config.h"
#include "daemon/report_doctor.h"
#include "daemon/report_domains.h"
#include "daemon/report_latency.h"
#include "daemon/report_dry_run.h"
#include "daemon/report_kinds.h"
#include "daemon/report_policies.h"
#include "daemon/report_metrics.h"
#include "daemon/report_recommend.h"
#include "daemon/report_status.h"
#include "daemon/report_top.h"
#include "daemon/report_vcpu.h"
#include "daemon/trial_requests.h"
#include "util/log.h"

#include "host_fake.h"
#include "inventory_fixture.h"
#include "log_fake.h"

#define WEB   "01234567-89ab-cdef-0123-456789abcdef"
#define OTHER "11234567-89ab-cdef-0123-456789abcdef"

static sd_event *event;
static struct domains domains;
static struct views views;
static struct requests requests;
static struct plan_switches switches_state;
static struct plan_domain planned;
static char calls[256], error[512];
static int answer_command, answer_persist, answer_reload, answer_pass;
static bool knows_profile;
static unsigned int n_cancelled; /* trials */
static struct policies kept;     /* of the state */

static void call(const char *what)
{
	CHECK(strlen(calls) + strlen(what) + 2 < sizeof(calls));
	if (*calls)
		strcat(calls, " ");
	strcat(calls, what);
}

#define CHECK_CALLS(expected)                                                                      \
	do {                                                                                       \
		CHECK_STR(calls, expected);                                                        \
		*calls = '\0';                                                                     \
	} while (0)

/* ---- stand-ins ---- */

static cJSON *report(const char *what)
{
	call(what);
	return cJSON_CreateObject();
}

struct cJSON *report_status(const struct views *v)
{
	(void)v;
	return report("status");
}

struct cJSON *report_metrics(const struct views *v, struct tally *t)
{
	(void)v;
	(void)t;
	return report("metrics");
}

struct cJSON *report_top(const struct views *v, const struct inventory_domain *d)
{
	(void)v;
	return report(d ? "top of vCPUs" : "top");
}

struct cJSON *report_recommend(const struct views *v, const struct inventory_domain *d)
{
	(void)v;
	(void)d;
	return report("recommend");
}

int latency_leases_renew(struct latency_leases *leases, const struct inventory_domain *domain,
                         uint64_t *since_ns)
{
	(void)leases;
	(void)domain;
	call("renew");
	*since_ns = 5;
	return 0;
}

struct cJSON *report_latency(const struct views *v, const struct inventory_domain *domain, int vcpu,
                             const struct latency_trace *trace)
{
	(void)v;
	(void)domain;
	CHECK(trace->error == 0 && trace->since_ns == 5);
	return vcpu > 0 ? NULL : report("latency");
}

struct cJSON *report_doctor(const struct views *v)
{
	(void)v;
	return report("doctor");
}

struct cJSON *report_list(const struct views *v)
{
	(void)v;
	return report("list");
}

struct cJSON *report_show(const struct views *v, const struct inventory_domain *domain)
{
	(void)v;
	(void)domain;
	return report("show");
}

struct cJSON *report_explain(const struct views *v, const struct inventory_domain *domain, int vcpu)
{
	(void)v;
	(void)domain;
	return vcpu > 0 ? NULL : report("explain");
}

struct cJSON *report_policy(const struct views *v, const struct inventory_domain *domain)
{
	(void)v;
	(void)domain;
	return report("policy");
}

struct cJSON *report_vcpu_boost(const struct views *v, const struct inventory_vcpu *vcpu)
{
	(void)v;
	(void)vcpu;
	return report("report");
}

bool trials_cancel(struct trials *trials, const char *uuid, enum trial_end end)
{
	(void)trials;
	(void)uuid;
	CHECK_INT(end, TRIAL_END_POLICY);
	n_cancelled++;
	return true;
}

int trial_start(struct requests *r, const struct inventory_domain *domain,
                const struct control_request *request, struct answer *answer)
{
	(void)r;
	(void)domain;
	(void)request;
	*answer->result = report("trial");
	return 0;
}

int trial_poll(struct requests *r, const char *name_or_uuid, struct answer *answer)
{
	(void)r;
	(void)name_or_uuid;
	*answer->result = report("trial");
	return 0;
}

int trial_stop(struct requests *r, const struct inventory_domain *domain, struct answer *answer)
{
	(void)r;
	(void)domain;
	*answer->result = report("trial");
	return 0;
}

int avoid_request(struct requests *r, const struct inventory_domain *domain,
                  const struct control_request *request, struct answer *answer)
{
	(void)r;
	(void)request;
	CHECK(domain);
	call("avoid");
	return answer_sentence(answer, "done");
}

int booster_boost(struct booster *booster, unsigned int slot, uint64_t until_ns)
{
	(void)booster;
	(void)slot;
	(void)until_ns;
	call("boost");
	return 0;
}

void domains_rescan(struct domains *d, struct inventory_domain *domain)
{
	(void)domain;
	call("rescan");
	pass_changed(d->pass);
}

void domains_rescan_all(struct domains *d)
{
	call("rescan-all");
	pass_changed(d->pass);
}

const struct plan_domain *planning_domain(const struct planning *planning,
                                          const struct inventory_domain *domain)
{
	(void)planning;
	(void)domain;
	return &planned;
}

void config_list_profiles(const struct config *config, char *text, size_t size)
{
	(void)config;
	snprintf(text, size, "off, latency");
}

const struct profile *config_profile(const struct config *config, const char *name)
{
	(void)config;
	(void)name;
	return knows_profile ? &planned.profile : NULL;
}

int state_keep_policy(struct state *state, const struct policy_entry *policy,
                      struct policy_entry *dropped)
{
	(void)state;
	*dropped = (struct policy_entry){0};
	call("persist");
	CHECK_INT(policies_put(&kept, policy), 0);
	return answer_persist;
}

int state_unassign(struct state *state, const char *uuid)
{
	(void)state;
	return policies_drop_policy(&kept, uuid) ? 1 : 0;
}

int state_drop_policy(struct state *state, const char *uuid)
{
	(void)state;
	call("drop");
	if (!policies_remove(&kept, uuid))
		return 0;
	return answer_persist < 0 ? answer_persist : 1;
}

const struct policies *state_policies(const struct state *state)
{
	(void)state;
	return &kept;
}

struct cJSON *report_policies(const struct views *v)
{
	(void)v;
	return report("policies");
}

struct cJSON *report_kinds(const struct views *v)
{
	(void)v;
	return report("kinds");
}

struct cJSON *report_config(const struct views *v)
{
	(void)v;
	return report("config");
}

struct cJSON *report_dry_run(const struct views *v, const struct inventory_domain *domain,
                             const struct profile *profile)
{
	(void)v;
	(void)domain;
	CHECK_STR(profile->name, "latency");
	return report("dry-run");
}

void planning_choice(const struct planning *planning, const struct inventory_domain *domain,
                     struct config_choice *ret)
{
	(void)planning;
	(void)domain;
	*ret = (struct config_choice){.profile = planned.profile, .source = "the file"};
}

int switches_command(struct switches *switches, bool on)
{
	(void)switches;
	call(on ? "on" : "off");
	return answer_command;
}

void switches_set_guarded(struct switches *switches, bool guarded)
{
	(void)switches;
	(void)guarded;
}

const struct plan_switches *switches_now(const struct switches *switches)
{
	(void)switches;
	return &switches_state;
}

void guard_try_now(struct guard *guard)
{
	(void)guard;
	call("guard");
}

bool guard_answers(const struct guard *guard)
{
	(void)guard;
	return true;
}

static int reload(void *userdata, char *text, size_t size)
{
	(void)userdata;
	snprintf(text, size, "why");
	call("reload");
	return answer_reload;
}

/* ---- fixture ---- */

static int make_pass(void *userdata)
{
	(void)userdata;
	call("pass");
	return answer_pass;
}

static void on_ended(void *userdata, const struct policy_entry *policy)
{
	(void)userdata;
	(void)policy;
}

static void on_gone(void *userdata, struct inventory_domain *domain)
{
	(void)userdata;
	overrides_forget(domains.overrides, domain);
}

static inline struct inventory_domain *begin(void)
{
	struct inventory_domain *d;

	if (!event) {
		CHECK(sd_event_new(&event) >= 0);
		CHECK_INT(overrides_new(&domains.overrides, event, on_ended, NULL), 0);
		CHECK_INT(pass_new(&domains.pass, event, make_pass, NULL), 0);
	}
	inventory_clear(&domains.inventory);
	policies_finish(&kept);
	overrides_unset(domains.overrides, WEB);
	overrides_unset(domains.overrides, OTHER);
	inventory_init(&domains.inventory, NULL, on_gone, NULL);
	requests = (struct requests){
	        .views = &views, .domains = &domains, .pass = domains.pass, .reload = reload};
	planned.profile = (struct profile){"latency", PROFILE_BOOST, 200, 500000, 0, true};
	switches_state = (struct plan_switches){.enabled = true};
	answer_command = answer_persist = answer_reload = answer_pass = 0;
	knows_profile = true;
	n_cancelled = 0;
	CHECK_INT(inventory_seen(&domains.inventory, domain_make(WEB, "web", 100, 2), &d),
	          INVENTORY_NEW);
	*calls = '\0';
	return d;
}

static inline int ask(enum control_verb verb, const char *domain)
{
	struct control_request request = {.verb = verb, .vcpu = -1, .profile = "latency"};
	cJSON *result = NULL;
	int r;

	*error = '\0';
	snprintf(request.domain, sizeof(request.domain), "%s", domain);
	r = requests_handle(&requests, &request, &result, error, sizeof(error));
	CHECK_INT(r == 0, result != NULL);
	cJSON_Delete(result);
	return r;
}
