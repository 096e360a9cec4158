// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Requests: that what is due is applied before one is served, that a change is applied before it is
 * answered, and what is refused. Reports and parts only write down that they were called.
 */
#include "daemon/requests.h"

#include <cjson/cJSON.h>
#include <errno.h>

#include "boost/sched.h"
#include "daemon/report_doctor.h"
#include "daemon/report_domains.h"
#include "daemon/report_status.h"
#include "daemon/report_top.h"
#include "daemon/report_vcpu.h"
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

struct cJSON *report_top(const struct views *v, const struct inventory_domain *d)
{
	(void)v;
	return report(d ? "top of vCPUs" : "top");
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

const struct profile *config_profile(const struct config *config, const char *name)
{
	(void)config;
	(void)name;
	return knows_profile ? &planned.profile : NULL;
}

int state_set_override(struct state *state, const char *uuid, const char *profile)
{
	(void)state;
	(void)uuid;
	(void)profile;
	call("persist");
	return answer_persist;
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

static void on_ended(void *userdata, const struct inventory_domain *domain)
{
	(void)userdata;
	(void)domain;
}

static void on_gone(void *userdata, struct inventory_domain *domain)
{
	(void)userdata;
	overrides_forget(domains.overrides, domain);
}

static struct inventory_domain *begin(void)
{
	struct inventory_domain *d;

	if (!event) {
		CHECK(sd_event_new(&event) >= 0);
		CHECK_INT(overrides_new(&domains.overrides, event, on_ended, NULL), 0);
		CHECK_INT(pass_new(&domains.pass, event, make_pass, NULL), 0);
	}
	inventory_clear(&domains.inventory);
	inventory_init(&domains.inventory, NULL, on_gone, NULL);
	requests = (struct requests){
	        .views = &views, .domains = &domains, .pass = domains.pass, .reload = reload};
	planned.profile = (struct profile){"latency", PROFILE_BOOST, 200, 500000, 0, true};
	switches_state = (struct plan_switches){.enabled = true};
	answer_command = answer_persist = answer_reload = answer_pass = 0;
	knows_profile = true;
	CHECK_INT(inventory_seen(&domains.inventory, domain_make(WEB, "web", 100, 2), &d),
	          INVENTORY_NEW);
	*calls = '\0';
	return d;
}

static int ask(enum control_verb verb, const char *domain)
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

/* What is due is applied first, so that what is reported is true; else nothing is. */
static void test_settled_before_reports(void)
{
	begin();
	CHECK_INT(ask(CONTROL_STATUS, ""), 0);
	CHECK_CALLS("status");
	pass_changed(domains.pass);
	CHECK_INT(ask(CONTROL_SHOW, "web"), 0);
	CHECK_CALLS("pass show");
	CHECK_INT(ask(CONTROL_LIST, ""), 0);
	CHECK_CALLS("list");
	/* of all domains, or of one's vCPUs */
	CHECK_INT(ask(CONTROL_TOP, ""), 0);
	CHECK_CALLS("top");
	CHECK_INT(ask(CONTROL_TOP, "web"), 0);
	CHECK_CALLS("top of vCPUs");
	CHECK_INT(ask(CONTROL_TOP, "nobody"), -ENOENT);
}

/* A policy is in force before it is answered, and kept where that was asked for. */
static void test_policy_set(void)
{
	struct control_request request = {
	        .verb = CONTROL_POLICY_SET, .domain = "web", .profile = "latency", .persist = true};
	struct inventory_domain *d = begin();
	cJSON *result = NULL;

	overrides_set_released(domains.overrides, d, true);
	CHECK_INT(ask(CONTROL_POLICY_SET, "web"), 0);
	CHECK_CALLS("rescan pass");
	CHECK_STR(overrides_profile(domains.overrides, d), "latency");
	CHECK(!overrides_released(domains.overrides, d));
	CHECK_INT(requests_handle(&requests, &request, &result, error, sizeof(error)), 0);
	CHECK_CALLS("rescan pass persist");
	cJSON_Delete(result);
	answer_persist = -ENOSPC;
	CHECK_INT(requests_handle(&requests, &request, &result, error, sizeof(error)), -ENOSPC);
	CHECK_CONTAINS(error, "set, but not for ever");
}

/* Unknown profiles and domains, and a verb that lacks its domain, change nothing. */
static void test_refused(void)
{
	begin();
	knows_profile = false;
	CHECK_INT(ask(CONTROL_POLICY_SET, "web"), -EINVAL);
	CHECK_CONTAINS(error, "there is no profile \"latency\"");
	CHECK_INT(ask(CONTROL_SHOW, "none"), -ENOENT);
	CHECK_INT(ask(CONTROL_SHOW, ""), -EINVAL);
	CHECK_CALLS("");
}

/* A name that two domains have: neither is meant, and the answer has both uuids. */
static void test_name_of_two(void)
{
	struct inventory_domain *web = begin(), *other;

	CHECK_INT(inventory_seen(&domains.inventory, domain_make(OTHER, "web", 200, 1), &other),
	          INVENTORY_NEW);
	CHECK_INT(ask(CONTROL_POLICY_SET, "web"), -ENOTUNIQ);
	CHECK_CONTAINS(error, "2 domains have the name \"web\"");
	CHECK_CONTAINS(error, WEB);
	CHECK_CONTAINS(error, OTHER);
	CHECK_INT(ask(CONTROL_RELEASE, "web"), -ENOTUNIQ);
	CHECK(!overrides_released(domains.overrides, web));
	CHECK(!overrides_released(domains.overrides, other));
	CHECK_CALLS("");
	CHECK_INT(ask(CONTROL_POLICY_SET, OTHER), 0);
	CHECK_STR(overrides_profile(domains.overrides, other), "latency");
	CHECK_STR(overrides_profile(domains.overrides, web), "");
	CHECK_CALLS("rescan pass");
}

/* What is kept by a uuid that is made up, or another QEMU's, too, would be lost or mistaken. */
static void test_uuid_that_is_none(void)
{
	struct control_request request = {
	        .verb = CONTROL_POLICY_SET, .domain = "web", .profile = "latency", .persist = true};
	struct inventory_domain *d = begin();
	cJSON *result = NULL;

	d->seen->uuid_kind = DOMAIN_UUID_MADE_UP;
	CHECK_INT(requests_handle(&requests, &request, &result, error, sizeof(error)), -EINVAL);
	CHECK_CONTAINS(error, "made up for this process alone");
	d->seen->uuid_kind = DOMAIN_UUID_SHARED;
	CHECK_INT(requests_handle(&requests, &request, &result, error, sizeof(error)), -EINVAL);
	CHECK_CONTAINS(error, "another QEMU was started");
	CHECK_CALLS("");
	CHECK_STR(overrides_profile(domains.overrides, d), "");
	CHECK_INT(ask(CONTROL_POLICY_SET, "web"), 0); /* for as long as pvschedd runs */
	CHECK_CALLS("rescan pass");
}

/* Released: one domain or all, and applied before it is answered. */
static void test_release(void)
{
	struct inventory_domain *d = begin();

	CHECK_INT(ask(CONTROL_RELEASE, "web"), 0);
	CHECK_CALLS("rescan pass");
	CHECK(overrides_released(domains.overrides, d));
	overrides_set_released(domains.overrides, d, false);
	CHECK_INT(ask(CONTROL_RELEASE, ""), 0);
	CHECK_CALLS("rescan pass");
	CHECK(overrides_released(domains.overrides, d));
}

/* On: the switch, a guardian, an end of all releases, a pass. Off: the switch and a pass. */
static void test_enable(void)
{
	struct inventory_domain *d = begin();

	overrides_set_released(domains.overrides, d, true);
	CHECK_INT(ask(CONTROL_ENABLE, ""), 0);
	CHECK_CALLS("on guard rescan pass");
	CHECK(!overrides_released(domains.overrides, d));
	overrides_set_released(domains.overrides, d, true);
	CHECK_INT(ask(CONTROL_DISABLE, ""), 0);
	CHECK_CALLS("off rescan-all pass");
	CHECK(overrides_released(domains.overrides, d));
	answer_command = -EROFS;
	CHECK_INT(ask(CONTROL_ENABLE, ""), -EROFS);
	CHECK_CALLS("on");
}

/* Boosts what is traced, and reports each vCPU after that; not under a profile that does not boost.
 */
static void test_boost(void)
{
	struct inventory_domain *d = begin();

	d->vcpus[0].slot = 0;
	CHECK_INT(ask(CONTROL_BOOST, "web"), 0);
	CHECK_CALLS("boost report report");
	planned.profile.mode = PROFILE_OBSERVE;
	CHECK_INT(ask(CONTROL_BOOST, "web"), -EINVAL);
	CHECK_CALLS("");
	CHECK_CONTAINS(error, "does not boost");
}

/* A pass that could not be made: the answer is no, and says that it is tried again. */
static void test_not_carried_out(void)
{
	begin();
	answer_pass = -ENOMEM;
	CHECK_INT(ask(CONTROL_RELEASE, ""), -ENOMEM);
	CHECK(strstr(error, "tries it again"));
	CHECK_INT(ask(CONTROL_DISABLE, ""), -ENOMEM);
	CHECK_INT(ask(CONTROL_POLICY_SET, "web"), -ENOMEM);
}

/* A file that can't be read is not a client that may not ask. */
static void test_reload(void)
{
	begin();
	CHECK_INT(ask(CONTROL_RELOAD, ""), 0);
	answer_reload = -EPERM;
	CHECK_INT(ask(CONTROL_RELOAD, ""), -EBADMSG);
	CHECK_STR(error, "why");
	CHECK_CALLS("reload reload");
}

TEST_MAIN(TEST(test_settled_before_reports), TEST(test_policy_set), TEST(test_refused),
          TEST(test_name_of_two), TEST(test_uuid_that_is_none), TEST(test_release),
          TEST(test_enable), TEST(test_boost), TEST(test_not_carried_out), TEST(test_reload))
