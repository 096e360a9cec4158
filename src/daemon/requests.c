// SPDX-License-Identifier: GPL-2.0-or-later
/* The verbs of the control socket. */
#include "daemon/manager.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "util/clock.h"
#include "util/log.h"

static int refuse(char *error, size_t size, int code, const char *format, ...) PRINTF_FORMAT(4, 5);

static int refuse(char *error, size_t size, int code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(error, size, format, args);
	va_end(args);
	return code;
}

static struct cJSON *sentence(const char *format, ...) PRINTF_FORMAT(1, 2);

static struct cJSON *sentence(const char *format, ...)
{
	cJSON *result = cJSON_CreateObject();
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	cJSON_AddStringToObject(result, "message", text);
	return result;
}

static int policy_set(struct manager *m, struct managed_domain *d,
                      const struct control_request *request, struct cJSON **result, char *error,
                      size_t size)
{
	char name[DOMAIN_NAME_MAX * 4];
	int r;

	if (!config_profile(m->config, request->profile))
		return refuse(error, size, -EINVAL,
		              "there is no profile \"%s\"; there are off, observe, interactive, "
		              "latency and those of the configuration",
		              request->profile);
	d->released = false;
	r = terms_override(m, d, request->profile, request->for_ns);
	if (r < 0)
		return refuse(error, size, r, "the policy could not be set: %s", strerror(-r));
	domains_rescan(m, d); /* ends the hold, with the RT budget there */
	if (request->persist) {
		r = state_set_override(m->state, d->seen->uuid, request->profile);
		if (r < 0)
			return refuse(error, size, r, "set, but not for ever: %s", strerror(-r));
	}
	report_name(d, name, sizeof(name));
	log_info("domain \"%s\": profile %s set by command", d->seen->name, request->profile);
	*result = sentence("%s: profile %s%s", name, request->profile,
	                   request->persist  ? ", also after a restart"
	                   : request->for_ns ? " for the time given"
	                                     : " until pvschedd is started again");
	return 0;
}

/* Raises the vCPUs asked for, and says of each what came of it. */
static int boost(struct manager *m, struct managed_domain *d, const struct control_request *request,
                 struct cJSON **result, char *error, size_t size)
{
	uint64_t until_ns = clock_now_ns() + request->for_ns;
	cJSON *root, *vcpus;
	bool found = false;

	if (d->choice.profile.mode != PROFILE_BOOST)
		return refuse(
		        error, size, -EINVAL,
		        "the profile %s does not boost; first: pvschedctl policy set DOM latency",
		        d->choice.profile.name);
	root = cJSON_CreateObject();
	vcpus = cJSON_AddArrayToObject(root, "vcpus");
	for (size_t i = 0; i < d->n_vcpus; i++) {
		if (request->vcpu >= 0 && (unsigned int)request->vcpu != d->vcpus[i].thread.index)
			continue;
		found = true;
		cJSON_AddItemToArray(vcpus, report_boost(m, &d->vcpus[i], until_ns));
	}
	if (!found) {
		cJSON_Delete(root);
		return refuse(error, size, -EINVAL, "the domain has no vCPU %d", request->vcpu);
	}
	*result = root;
	return 0;
}

static int release(struct manager *m, struct managed_domain *d, struct cJSON **result)
{
	for (struct managed_domain *i = m->domains; i; i = i->next) {
		if (d && d != i)
			continue;
		i->released = true;
		domains_rescan(m, i);
	}
	terms_apply(m); /* RT budgets go, too */
	log_info("%s%s%s released by command", d ? "domain \"" : "all domains",
	         d ? d->seen->name : "", d ? "\"" : "");
	*result = sentence("everything was given back%s; `pvschedctl policy set` boosts it again",
	                   d ? " to the domain" : "");
	return 0;
}

static int enable(struct manager *m, bool on, struct cJSON **result, char *error, size_t size)
{
	int r = state_set_disabled(m->state, !on);

	if (r < 0)
		return refuse(error, size, r, "the switch could not be saved: %s", strerror(-r));
	if (on) {
		state_close_breaker(m->state);
		manager_hold(m, POLICY_REASON_BREAKER, false);
		guard_try_now(m);
		manager_hold(m, POLICY_REASON_GUARDIAN, !guard_answers(m));
	}
	for (struct managed_domain *d = m->domains; on && d; d = d->next)
		d->released = false;
	manager_apply(m);
	log_notice("boosting is switched %s by command", on ? "on" : "off");
	if (on && !config_host(m->config)->enabled)
		*result = sentence("switched on, but \"enabled\" is false in the configuration");
	else
		*result =
		        sentence(on ? "boosting is on, also after a restart"
		                    : "boosting is off, also after a restart; everything was given "
		                      "back");
	return 0;
}

static int reload(struct manager *m, struct cJSON **result, char *error, size_t size)
{
	int r = manager_reload(m, error, size);

	if (r == 0)
		*result = sentence("the configuration was loaded");
	/* of a file, not of the one who asks, and not of a domain */
	return r == -EPERM || r == -EACCES || r == -ENOENT ? -EBADMSG : r;
}

static bool wants_domain(enum control_verb verb)
{
	return verb == CONTROL_SHOW || verb == CONTROL_EXPLAIN || verb == CONTROL_POLICY_GET ||
	       verb == CONTROL_POLICY_SET || verb == CONTROL_BOOST;
}

int requests_handle(void *userdata, const struct control_request *request, struct cJSON **result,
                    char *error, size_t error_size)
{
	struct manager *m = userdata;
	struct managed_domain *d = NULL;

	if (request->domain[0]) {
		d = domains_find(m, request->domain);
		if (!d)
			return refuse(error, error_size, -ENOENT,
			              "no running domain has the name or uuid \"%s\"",
			              request->domain);
	} else if (wants_domain(request->verb)) {
		return refuse(error, error_size, -EINVAL, "which domain?");
	}
	switch (request->verb) {
	case CONTROL_STATUS:
		*result = report_status(m);
		return 0;
	case CONTROL_LIST:
		*result = report_list(m);
		return 0;
	case CONTROL_SHOW:
		*result = report_show(m, d);
		return 0;
	case CONTROL_EXPLAIN:
		*result = report_explain(m, d, request->vcpu);
		return *result ? 0
		               : refuse(error, error_size, -EINVAL, "the domain has no vCPU %d",
		                        request->vcpu);
	case CONTROL_DOCTOR:
		*result = report_doctor(m);
		return 0;
	case CONTROL_POLICY_GET:
		*result = report_policy(m, d);
		return 0;
	case CONTROL_POLICY_SET:
		return policy_set(m, d, request, result, error, error_size);
	case CONTROL_BOOST:
		return boost(m, d, request, result, error, error_size);
	case CONTROL_RELEASE:
		return release(m, d, result);
	case CONTROL_ENABLE:
		return enable(m, true, result, error, error_size);
	case CONTROL_DISABLE:
		return enable(m, false, result, error, error_size);
	case CONTROL_RELOAD:
		return reload(m, result, error, error_size);
	case _CONTROL_VERB_MAX:
		break;
	}
	return refuse(error, error_size, -EINVAL, "unknown verb");
}
