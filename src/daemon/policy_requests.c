// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/policy_requests.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "config/match.h"
#include "daemon/report_dry_run.h"
#include "daemon/report_json.h"
#include "util/log.h"

/* Whose policy is set; @domain NULL: it does not run. */
struct subject {
	const struct inventory_domain *domain;
	char uuid[DOMAIN_UUID_LEN];
	char name[DOMAIN_NAME_MAX]; /* "": not known */
	char shown[REPORT_NAME_MAX];
};

static struct subject subject_of(const struct inventory_domain *d)
{
	struct subject ret = {.domain = d};

	snprintf(ret.uuid, sizeof(ret.uuid), "%s", d->seen->uuid);
	snprintf(ret.name, sizeof(ret.name), "%s", d->seen->name);
	report_name(d, ret.shown);
	return ret;
}

/* ---- set ---- */

static int check_profile(const struct requests *requests, const char *name, struct answer *answer)
{
	char known[256] = "";

	if (config_profile(requests->views->config, name))
		return 0;
	config_list_profiles(requests->views->config, known, sizeof(known));
	return answer_no(answer, -EINVAL, "there is no profile \"%s\"; profiles: %s", name, known);
}

static int refuse_uuid(const struct inventory_domain *d, struct answer *answer)
{
	return answer_no(answer, -EINVAL,
	                 "--persist keeps a policy by "
	                 "the uuid, %s. Start QEMU with a -uuid of its own, or give its name "
	                 "an entry in the configuration",
	                 d->seen->uuid_kind == DOMAIN_UUID_MADE_UP
	                         ? "which pvschedd made up for this process alone"
	                         : "with which another QEMU was started, too");
}

static struct policy_entry entry_of(const struct subject *subject,
                                    const struct control_request *request)
{
	struct policy_entry ret = {.share_permille = request->share_permille,
	                           .burst_ns = request->burst_ns};

	snprintf(ret.uuid, sizeof(ret.uuid), "%s", subject->uuid);
	snprintf(ret.name, sizeof(ret.name), "%s", subject->name);
	snprintf(ret.profile, sizeof(ret.profile), "%s", request->profile);
	return ret;
}

/* One that persists takes the place of one that ends with the daemon. */
static int keep(struct requests *requests, const struct policy_entry *policy)
{
	struct policy_entry dropped;
	int r;

	if (policy->profile[0])
		overrides_unset_profile(requests->domains->overrides, policy->uuid);
	if (policy->policy[0])
		overrides_unassign(requests->domains->overrides, policy->uuid);
	r = state_keep_policy(requests->state, policy, &dropped);
	if (dropped.uuid[0])
		log_notice("the persistent policy of %s (%s, profile %s) was dropped for want of "
		           "room: that domain has not run for the longest",
		           dropped.uuid, dropped.name[0] ? dropped.name : "no name known",
		           dropped.profile[0] ? dropped.profile : "of the configuration");
	return r;
}

static int put(struct requests *requests, const struct subject *subject,
               const struct control_request *request)
{
	struct policy_entry policy = entry_of(subject, request);

	if (request->persist)
		return keep(requests, &policy);
	return overrides_set(requests->domains->overrides, &policy, request->for_ns);
}

/* For how long, and what is not known of the domain. */
static const char *how_long(const struct control_request *request)
{
	return request->persist  ? ", also after a restart"
	       : request->for_ns ? " for the time given"
	                         : " until pvschedd is started again";
}

static const char *whether_it_runs(const struct subject *subject)
{
	if (subject->domain)
		return "";
	return subject->name[0] ? "; the domain does not run now"
	                        : "; the domain does not run now, and whether there is one of this "
	                          "uuid is not known";
}

/* ", share 250 permille, burst 700 us", as far as they were given. */
static void print_figures(const struct control_request *request, char *text, size_t size)
{
	size_t n = 0;

	*text = '\0';
	if (request->share_permille)
		n = (size_t)snprintf(text, size, ", share %" PRIu32 " permille",
		                     request->share_permille);
	if (request->burst_ns)
		snprintf(text + n, size - n, ", burst %" PRIu64 " us",
		         request->burst_ns / NSEC_PER_USEC);
}

static int say_set(const struct subject *subject, const struct control_request *request,
                   struct answer *answer)
{
	char figures[64];

	print_figures(request, figures, sizeof(figures));
	log_info("domain \"%s\": profile %s%s set by command", subject->shown, request->profile,
	         figures);
	return answer_sentence(answer, "%s: profile %s%s%s%s", subject->shown, request->profile,
	                       figures, how_long(request), whether_it_runs(subject));
}

/* @r: of what put the policy there. In force before it is answered. Answers if it failed. */
static int finish(struct requests *requests, const struct control_request *request, int r,
                  struct answer *answer)
{
	int pass = pass_now(requests->pass);

	if (request->persist && r < 0)
		return answer_no(answer, r,
		                 "set until pvschedd is started again; it could not be saved in "
		                 "policies.json: %s",
		                 strerror(-r));
	if (r == -ENOSPC)
		return answer_no(answer, r,
		                 "%d policies are set already; see: pvschedctl policy list",
		                 POLICIES_MAX);
	if (r == 0)
		r = pass;
	if (r < 0)
		return answer_no(answer, r, "the policy could not be set: %s", strerror(-r));
	return 0;
}

static int finish_set(struct requests *requests, const struct subject *subject,
                      const struct control_request *request, int r, struct answer *answer)
{
	r = finish(requests, request, r, answer);
	return r < 0 ? r : say_set(subject, request, answer);
}

static int try_out(struct requests *requests, const struct inventory_domain *d,
                   const struct control_request *request, struct answer *answer)
{
	struct profile profile = *config_profile(requests->views->config, request->profile);

	if (request->share_permille)
		profile.share_permille = request->share_permille;
	if (request->burst_ns)
		profile.burst_ns = request->burst_ns;
	*answer->result = report_dry_run(requests->views, d, &profile);
	return *answer->result ? 0 : answer_no(answer, -ENOMEM, "out of memory");
}

int policy_set(struct requests *requests, struct inventory_domain *d,
               const struct control_request *request, struct answer *answer)
{
	struct subject subject = subject_of(d);
	int r;

	if (request->persist && d->seen->uuid_kind != DOMAIN_UUID_OWN)
		return refuse_uuid(d, answer);
	r = check_profile(requests, request->profile, answer);
	if (r < 0)
		return r;
	if (request->dry_run)
		return try_out(requests, d, request, answer);
	trials_cancel(requests->views->trials, subject.uuid, TRIAL_END_POLICY);
	r = put(requests, &subject, request);
	if (r == 0 || request->persist) {
		overrides_set_released(requests->domains->overrides, d, false);
		domains_rescan(requests->domains, d);
	}
	return finish_set(requests, &subject, request, r, answer);
}

/* ---- assign ---- */

/* Which policy of the registry is meant; *ret is REGISTRY_NONE for what the guest names. */
static int check_policy(const char *label, uint32_t *ret, struct answer *answer)
{
	char known[128];

	*ret = registry_parse(label);
	if (*ret != REGISTRY_NONE || strcmp(label, REGISTRY_GUEST) == 0)
		return 0;
	registry_list(known, sizeof(known));
	return answer_no(answer, -EINVAL,
	                 "there is no policy \"%s\"; policies: %s, and \"" REGISTRY_GUEST
	                 "\" for the one that the guest names",
	                 label, known);
}

/* Takes away what was assigned, until the end and for good. It is no error if nothing was. */
static int unassign(struct requests *requests, const char *uuid)
{
	overrides_unassign(requests->domains->overrides, uuid);
	return MIN(state_unassign(requests->state, uuid), 0);
}

static int put_assigned(struct requests *requests, const struct subject *subject, uint32_t policy,
                        bool persist)
{
	struct policy_entry entry = {0};

	if (policy == REGISTRY_NONE)
		return unassign(requests, subject->uuid);
	snprintf(entry.uuid, sizeof(entry.uuid), "%s", subject->uuid);
	snprintf(entry.name, sizeof(entry.name), "%s", subject->name);
	registry_label(policy, entry.policy);
	return persist ? keep(requests, &entry)
	               : overrides_assign(requests->domains->overrides, &entry);
}

static int assign(struct requests *requests, const struct subject *subject,
                  const struct control_request *request, struct answer *answer)
{
	char label[REGISTRY_LABEL_MAX];
	uint32_t policy;
	int r = check_policy(request->policy, &policy, answer);

	if (r < 0)
		return r;
	trials_cancel(requests->views->trials, subject->uuid, TRIAL_END_POLICY);
	r = finish(requests, request, put_assigned(requests, subject, policy, request->persist),
	           answer);
	if (r < 0)
		return r;
	registry_label(policy, label);
	log_info("domain \"%s\": policy %s assigned by command", subject->shown, label);
	if (policy == REGISTRY_NONE)
		return answer_sentence(answer,
		                       "%s: no policy is assigned by command any more; its profile "
		                       "or its guest says which%s",
		                       subject->shown, whether_it_runs(subject));
	return answer_sentence(answer, "%s: boosted by policy %s%s%s", subject->shown, label,
	                       how_long(request), whether_it_runs(subject));
}

int policy_assign(struct requests *requests, struct inventory_domain *d,
                  const struct control_request *request, struct answer *answer)
{
	struct subject subject = subject_of(d);

	if (request->persist && d->seen->uuid_kind != DOMAIN_UUID_OWN)
		return refuse_uuid(d, answer);
	return assign(requests, &subject, request, answer);
}

/* ---- unset ---- */

/* Takes both kinds away. Returns 0; +1: there was none; -EIO: it will be there again. */
static int take_away(struct requests *requests, const char *uuid)
{
	bool was = overrides_unset(requests->domains->overrides, uuid);
	int r = state_drop_policy(requests->state, uuid);

	return r < 0 ? r : r == 0 && !was;
}

static int answer_unset(int r, const char *shown, struct answer *answer)
{
	if (r > 0)
		return answer_no(answer, -ENODATA,
		                 "no policy is set by command for %s; see: pvschedctl policy list",
		                 shown);
	return answer_no(answer, r,
	                 "unset until pvschedd is started again; policies.json could not be "
	                 "written, so then it is there again");
}

int policy_unset(struct requests *requests, struct inventory_domain *d,
                 const struct control_request *request, struct answer *answer)
{
	struct subject subject = subject_of(d);
	struct config_choice choice;
	int r = take_away(requests, subject.uuid), pass;

	(void)request;
	if (r > 0)
		return answer_unset(r, subject.shown, answer);
	trials_cancel(requests->views->trials, subject.uuid, TRIAL_END_POLICY);
	domains_rescan(requests->domains, d);
	pass = pass_now(requests->pass);
	if (r < 0)
		return answer_unset(r, subject.shown, answer);
	if (pass < 0)
		return answer_no(answer, pass, "the profile could not be changed: %s",
		                 strerror(-pass));
	planning_choice(requests->views->planning, d, &choice);
	log_info("domain \"%s\": profile %s again, by command", d->seen->name, choice.profile.name);
	return answer_sentence(answer, "%s: profile %s again, from %s", subject.shown,
	                       choice.profile.name, choice.source);
}

/* ---- domains that do not run ---- */

static int refuse_absent(const struct control_request *request, struct answer *answer)
{
	return answer_no(answer, -ENOENT,
	                 "no running domain has the name or uuid \"%s\"; one that does not run is "
	                 "known by its uuid, or by its name where libvirt knows it",
	                 request->domain);
}

static int refuse_names(const char *name, struct answer *answer)
{
	return answer_no(answer, -ENOTUNIQ,
	                 "several domains had the name \"%s\"; pvschedctl policy list shows their "
	                 "uuids",
	                 name);
}

/* By name, among the policies that are set. */
static int find_named(const struct requests *requests, const char *name,
                      const struct policy_entry **ret)
{
	const struct policy_entry *kept = NULL, *other = NULL;
	int r = policies_find_name(state_policies(requests->state), name, &kept);
	int r_other = policies_find_name(overrides_all(requests->domains->overrides), name, &other);

	if (r == -ENOTUNIQ || r_other == -ENOTUNIQ)
		return -ENOTUNIQ;
	if (r == 0 && r_other == 0 && strcmp(kept->uuid, other->uuid) != 0)
		return -ENOTUNIQ;
	*ret = r == 0 ? kept : other;
	return r == 0 ? r : r_other;
}

/* The name that is known of a uuid; "": none. */
static const char *name_of(const struct requests *requests, const char *uuid)
{
	const struct policy_entry *policy = policies_find(state_policies(requests->state), uuid);

	if (!policy)
		policy = policies_find(overrides_all(requests->domains->overrides), uuid);
	return policy ? policy->name : "";
}

static int find_absent(const struct requests *requests, const struct control_request *request,
                       struct subject *ret, struct answer *answer)
{
	const struct policy_entry *policy;
	const char *name = request->name;
	int r;

	*ret = (struct subject){0};
	if (!uuid_canonical(request->domain, ret->uuid)) {
		r = find_named(requests, request->domain, &policy);
		if (r < 0)
			return r == -ENOTUNIQ ? refuse_names(request->domain, answer)
			                      : refuse_absent(request, answer);
		memcpy(ret->uuid, policy->uuid, sizeof(ret->uuid));
	}
	if (!name[0])
		name = name_of(requests, ret->uuid);
	snprintf(ret->name, sizeof(ret->name), "%s", name);
	snprintf(ret->shown, sizeof(ret->shown), "%s", name[0] ? name : ret->uuid);
	return 0;
}

/* As find_absent(), for what is to be kept: a uuid that was mistyped is as good as any. */
static int find_to_keep(const struct requests *requests, const struct control_request *request,
                        struct subject *ret, struct answer *answer)
{
	int r = find_absent(requests, request, ret, answer);

	/* asked for once more */
	return r == 0 && !request->absent && !ret->name[0] ? refuse_absent(request, answer) : r;
}

int policy_set_absent(struct requests *requests, const struct control_request *request,
                      struct answer *answer)
{
	struct subject subject;
	int r = find_to_keep(requests, request, &subject, answer);

	if (r < 0)
		return r;
	r = check_profile(requests, request->profile, answer);
	if (r < 0)
		return r;
	if (request->dry_run)
		return answer_no(answer, -EINVAL,
		                 "%s does not run, so what its CPUs would have left for it is not "
		                 "known",
		                 subject.shown);
	r = put(requests, &subject, request);
	return finish_set(requests, &subject, request, r, answer);
}

int policy_assign_absent(struct requests *requests, const struct control_request *request,
                         struct answer *answer)
{
	struct subject subject;
	int r = find_to_keep(requests, request, &subject, answer);

	if (r < 0)
		return r;
	return assign(requests, &subject, request, answer);
}

int policy_unset_absent(struct requests *requests, const struct control_request *request,
                        struct answer *answer)
{
	struct subject subject;
	int r = find_absent(requests, request, &subject, answer);

	if (r < 0)
		return r;
	r = take_away(requests, subject.uuid);
	if (r != 0)
		return answer_unset(r, subject.shown, answer);
	log_info("domain \"%s\": its policy is forgotten, by command", subject.shown);
	return answer_sentence(answer,
	                       "%s: no policy by command any more; the domain does not run now",
	                       subject.shown);
}
