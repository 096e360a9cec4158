// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/requests.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/avoid_requests.h"
#include "daemon/policy_requests.h"
#include "daemon/report_config.h"
#include "daemon/report_doctor.h"
#include "daemon/report_domains.h"
#include "daemon/report_latency.h"
#include "daemon/report_policies.h"
#include "daemon/report_recommend.h"
#include "daemon/report_json.h"
#include "daemon/report_kinds.h"
#include "daemon/report_metrics.h"
#include "daemon/report_status.h"
#include "daemon/report_top.h"
#include "daemon/report_vcpu.h"
#include "daemon/trial_requests.h"
#include "util/clock.h"
#include "util/log.h"

/* Boosts the vCPUs asked for, and says of each what came of it. */
static int boost(struct requests *requests, struct inventory_domain *d,
                 const struct control_request *request, struct answer *answer)
{
	const struct profile *profile = &planning_domain(requests->views->planning, d)->profile;
	uint64_t until_ns = clock_now_ns() + request->for_ns;
	cJSON *root, *vcpus;

	if (profile->mode != PROFILE_BOOST)
		return answer_no(
		        answer, -EINVAL,
		        "the profile %s does not boost%s; first: pvschedctl policy set %s latency",
		        profile->name, profile->learned ? " it now" : "", report_word(d));
	root = cJSON_CreateObject();
	vcpus = cJSON_AddArrayToObject(root, "vcpus");
	for (size_t i = 0; i < d->n_vcpus; i++) {
		const struct inventory_vcpu *v = &d->vcpus[i];

		if (request->vcpu >= 0 && (unsigned int)request->vcpu != v->thread.index)
			continue;
		if (v->slot != SLOT_NONE)
			booster_boost(requests->views->booster, v->slot, until_ns);
		cJSON_AddItemToArray(vcpus, report_vcpu_boost(requests->views, v));
	}
	if (cJSON_GetArraySize(vcpus) == 0) {
		cJSON_Delete(root);
		return answer_no(answer, -EINVAL, "the domain has no vCPU %d", request->vcpu);
	}
	*answer->result = root;
	return 0;
}

/* The holds of the whole host are on; those of single domains wait for the next pass. */
static int refuse_pass(struct answer *answer, int r)
{
	return answer_no(answer, r, "not carried out yet: %s; pvschedd tries it again each second",
	                 strerror(-r));
}

static void set_released(struct requests *requests, struct inventory_domain *only, bool released)
{
	struct domains *domains = requests->domains;

	for (struct inventory_domain *d = domains->inventory.domains; d; d = d->next) {
		if (only && d != only)
			continue;
		overrides_set_released(domains->overrides, d, released);
		domains_rescan(domains, d);
	}
}

static int release(struct requests *requests, struct inventory_domain *d, struct answer *answer)
{
	int r;

	trials_cancel(requests->views->trials, d ? d->seen->uuid : NULL, TRIAL_END_POLICY);
	set_released(requests, d, true);
	r = pass_now(requests->pass);
	if (r < 0)
		return refuse_pass(answer, r);
	log_info("%s%s%s released by command", d ? "domain \"" : "all domains",
	         d ? d->seen->name : "", d ? "\"" : "");
	return answer_sentence(answer,
	                       "everything was given back%s; `pvschedctl policy set` boosts it "
	                       "again",
	                       d ? " to the domain" : "");
}

static int enable(struct requests *requests, bool on, struct answer *answer)
{
	int r = switches_command(requests->switches, on);

	if (r < 0)
		return answer_no(answer, r, "the switch could not be saved: %s", strerror(-r));
	if (on) {
		guard_try_now(requests->guard);
		switches_set_guarded(requests->switches, guard_answers(requests->guard));
		set_released(requests, NULL, false);
	} else {
		domains_rescan_all(requests->domains);
	}
	r = pass_now(requests->pass);
	if (r < 0)
		return refuse_pass(answer, r);
	log_notice("boosting is switched %s by command", on ? "on" : "off");
	if (on && !switches_now(requests->switches)->enabled)
		return answer_sentence(
		        answer, "switched on, but \"enabled\" is false in the configuration");
	return answer_sentence(answer, on ? "boosting is on, also after a restart"
	                                  : "boosting is off, also after a restart; everything "
	                                    "was given back");
}

static int reload(struct requests *requests, struct answer *answer)
{
	int r = requests->reload(requests->userdata, answer->error, answer->size);

	if (r == 0)
		answer_sentence(answer, "the configuration was loaded");
	/* of a file, not of the client that asks, and not of a domain */
	return r == -EPERM || r == -EACCES || r == -ENOENT ? -EBADMSG : r;
}

static bool wants_domain(enum control_verb verb)
{
	return verb == CONTROL_SHOW || verb == CONTROL_EXPLAIN || verb == CONTROL_LATENCY ||
	       verb == CONTROL_RECOMMEND || verb == CONTROL_POLICY_GET ||
	       verb == CONTROL_POLICY_SET || verb == CONTROL_POLICY_ASSIGN ||
	       verb == CONTROL_POLICY_UNSET || verb == CONTROL_BOOST || verb == CONTROL_AVOID ||
	       verb == CONTROL_TRIAL_START || verb == CONTROL_TRIAL_POLL ||
	       verb == CONTROL_TRIAL_STOP;
}

static int explain(const struct views *views, const struct inventory_domain *d,
                   const struct control_request *request, struct answer *answer)
{
	*answer->result = report_explain(views, d, request->vcpu);
	return *answer->result
	               ? 0
	               : answer_no(answer, -EINVAL, "the domain has no vCPU %d", request->vcpu);
}

/* Each request renews the lease by which the tracer looks at what runs instead of its vCPUs. */
static int latency(struct requests *requests, const struct inventory_domain *d,
                   const struct control_request *request, struct answer *answer)
{
	struct latency_trace trace = {0};

	trace.error = latency_leases_renew(requests->leases, d, &trace.since_ns);
	*answer->result = report_latency(requests->views, d, request->vcpu, &trace);
	return *answer->result
	               ? 0
	               : answer_no(answer, -EINVAL, "the domain has no vCPU %d", request->vcpu);
}

static int handle(struct requests *requests, struct inventory_domain *d,
                  const struct control_request *request, struct answer *answer)
{
	const struct views *views = requests->views;

	switch (request->verb) {
	case CONTROL_STATUS:
		*answer->result = report_status(views);
		return 0;
	case CONTROL_LIST:
		*answer->result = report_list(views);
		return 0;
	case CONTROL_TOP:
		*answer->result = report_top(views, d);
		return 0;
	case CONTROL_METRICS:
		*answer->result = report_metrics(views, requests->tally);
		return *answer->result ? 0 : answer_no(answer, -ENOMEM, "%s", strerror(ENOMEM));
	case CONTROL_SHOW:
		*answer->result = report_show(views, d);
		return 0;
	case CONTROL_EXPLAIN:
		return explain(views, d, request, answer);
	case CONTROL_LATENCY:
		return latency(requests, d, request, answer);
	case CONTROL_RECOMMEND:
		*answer->result = report_recommend(views, d);
		return 0;
	case CONTROL_DOCTOR:
		*answer->result = report_doctor(views);
		return 0;
	case CONTROL_POLICY_GET:
		*answer->result = report_policy(views, d);
		return 0;
	case CONTROL_POLICY_SET:
		return policy_set(requests, d, request, answer);
	case CONTROL_POLICY_ASSIGN:
		return policy_assign(requests, d, request, answer);
	case CONTROL_POLICY_UNSET:
		return policy_unset(requests, d, request, answer);
	case CONTROL_POLICY_LIST:
		*answer->result = report_policies(views);
		return *answer->result ? 0 : answer_no(answer, -ENOMEM, "out of memory");
	case CONTROL_POLICIES:
		*answer->result = report_kinds(views);
		return 0;
	case CONTROL_BOOST:
		return boost(requests, d, request, answer);
	case CONTROL_AVOID:
		return avoid_request(requests, d, request, answer);
	case CONTROL_RELEASE:
		return release(requests, d, answer);
	case CONTROL_ENABLE:
		return enable(requests, true, answer);
	case CONTROL_DISABLE:
		return enable(requests, false, answer);
	case CONTROL_RELOAD:
		return reload(requests, answer);
	case CONTROL_CONFIG:
		*answer->result = report_config(views);
		return *answer->result ? 0 : answer_no(answer, -ENOMEM, "out of memory");
	case CONTROL_TRIAL_START:
		return trial_start(requests, d, request, answer);
	case CONTROL_TRIAL_POLL:
		return trial_poll(requests, d->seen->uuid, answer);
	case CONTROL_TRIAL_STOP:
		return trial_stop(requests, d, answer);
	case _CONTROL_VERB_MAX:
		break;
	}
	return answer_no(answer, -EINVAL, "unknown verb");
}

/* Names the uuids of the domains that have one name, as far as there is room. */
static int refuse_name(const struct inventory *inventory, const char *name, struct answer *answer)
{
	char uuids[4 * (DOMAIN_UUID_LEN + 1)] = "";
	unsigned int n = 0;
	size_t used = 0;

	for (const struct inventory_domain *d = inventory->domains; d; d = d->next) {
		if (!inventory_is_called(d, name))
			continue;
		n++;
		if (used + DOMAIN_UUID_LEN < sizeof(uuids))
			used += (size_t)snprintf(uuids + used, sizeof(uuids) - used, " %s",
			                         d->seen->uuid);
	}
	return answer_no(answer, -ENOTUNIQ,
	                 "%u domains have the name \"%s\"; say which by its uuid:%s%s", n, name,
	                 uuids, n > 4 ? " ..." : "");
}

static int find(const struct inventory *inventory, const char *name_or_uuid,
                struct inventory_domain **ret, struct answer *answer)
{
	int r = inventory_find(inventory, name_or_uuid, ret);

	if (r == -ENOTUNIQ)
		return refuse_name(inventory, name_or_uuid, answer);
	return r < 0 ? answer_no(answer, r, "no running domain has the name or uuid \"%s\"",
	                         name_or_uuid)
	             : 0;
}

int requests_handle(void *userdata, const struct control_request *request, struct cJSON **result,
                    char *error, size_t error_size)
{
	struct answer answer = {.result = result, .error = error, .size = error_size};
	struct requests *requests = userdata;
	struct inventory_domain *d = NULL;

	pass_settle(requests->pass);
	if (request->domain[0]) {
		int r = find(&requests->domains->inventory, request->domain, &d, &answer);

		if (r == -ENOENT && request->verb == CONTROL_POLICY_SET)
			return policy_set_absent(requests, request, &answer);
		if (r == -ENOENT && request->verb == CONTROL_POLICY_ASSIGN)
			return policy_assign_absent(requests, request, &answer);
		if (r == -ENOENT && request->verb == CONTROL_POLICY_UNSET)
			return policy_unset_absent(requests, request, &answer);
		if (r == -ENOENT && request->verb == CONTROL_TRIAL_POLL)
			return trial_poll(requests, request->domain, &answer);
		if (r < 0)
			return r;
	} else if (wants_domain(request->verb)) {
		return answer_no(&answer, -EINVAL, "which domain?");
	}
	return handle(requests, d, request, &answer);
}
