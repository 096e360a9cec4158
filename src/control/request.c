/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/control.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "util/json.h"

/** As in a profile: policy/profile.h. */
#define SHARE_PERMILLE_MAX 1000
#define BURST_US_MIN       50
#define BURST_US_MAX       10000

/** One month. A policy that must hold longer belongs in the configuration. */
#define FOR_S_MAX (31 * 24 * 3600)

/** `boost` is for trying the effect of a boost. A policy is for lasting boosts. */
#define BOOST_US_MAX (10 * 1000 * 1000)

#define VCPU_INDEX_MAX 511

/** A shorter window has too few wake-ups, and a trial should see more than a few in its time. */
#define WINDOW_MS_MIN 500
#define WINDOW_MS_MAX (10 * 60 * 1000)

enum member_rule {
	MEMBER_REFUSED,
	MEMBER_OPTIONAL,
	MEMBER_REQUIRED,
};

/** The members of a request besides "verb", for each verb. */
static const struct verb {
	const char *name;
	bool changes;
	enum member_rule domain;
	enum member_rule vcpu;
	enum member_rule profile; /* with it, all of @policy_keys are optional */
	enum member_rule for_us;
	enum member_rule vcpus;
	enum member_rule trial;  /* all of @trial_keys are optional */
	enum member_rule policy; /* with it, all of @assign_keys are optional */
} verbs[_CONTROL_VERB_MAX] = {
        [CONTROL_STATUS] = {.name = "status"},
        [CONTROL_LIST] = {.name = "list"},
        [CONTROL_TOP] = {.name = "top", .domain = MEMBER_OPTIONAL},
        [CONTROL_METRICS] = {.name = "metrics"},
        [CONTROL_SHOW] = {.name = "show", .domain = MEMBER_REQUIRED},
        [CONTROL_EXPLAIN] = {.name = "explain", .domain = MEMBER_REQUIRED, .vcpu = MEMBER_OPTIONAL},
        [CONTROL_LATENCY] = {.name = "latency", .domain = MEMBER_REQUIRED, .vcpu = MEMBER_OPTIONAL},
        [CONTROL_RECOMMEND] = {.name = "recommend", .domain = MEMBER_REQUIRED},
        [CONTROL_DOCTOR] = {.name = "doctor"},
        [CONTROL_POLICY_GET] = {.name = "policy-get", .domain = MEMBER_REQUIRED},
        [CONTROL_POLICY_SET] = {.name = "policy-set",
                                .changes = true,
                                .domain = MEMBER_REQUIRED,
                                .profile = MEMBER_REQUIRED},
        [CONTROL_POLICY_ASSIGN] = {.name = "policy-assign",
                                   .changes = true,
                                   .domain = MEMBER_REQUIRED,
                                   .policy = MEMBER_REQUIRED},
        [CONTROL_POLICY_UNSET] = {.name = "policy-unset",
                                  .changes = true,
                                  .domain = MEMBER_REQUIRED},
        [CONTROL_POLICY_LIST] = {.name = "policy-list"},
        [CONTROL_POLICIES] = {.name = "policies"},
        [CONTROL_BOOST] = {.name = "boost",
                           .changes = true,
                           .domain = MEMBER_REQUIRED,
                           .vcpu = MEMBER_OPTIONAL,
                           .for_us = MEMBER_REQUIRED},
        [CONTROL_AVOID] = {.name = "avoid",
                           .changes = true,
                           .domain = MEMBER_REQUIRED,
                           .vcpus = MEMBER_REQUIRED},
        [CONTROL_RELEASE] = {.name = "release", .changes = true, .domain = MEMBER_OPTIONAL},
        [CONTROL_ENABLE] = {.name = "enable", .changes = true},
        [CONTROL_DISABLE] = {.name = "disable", .changes = true},
        [CONTROL_RELOAD] = {.name = "reload", .changes = true},
        [CONTROL_CONFIG] = {.name = "config"},
        [CONTROL_TRIAL_START] = {.name = "trial-start",
                                 .changes = true,
                                 .domain = MEMBER_REQUIRED,
                                 .trial = MEMBER_OPTIONAL},
        [CONTROL_TRIAL_POLL] = {.name = "trial-poll", .domain = MEMBER_REQUIRED},
        [CONTROL_TRIAL_STOP] = {.name = "trial-stop", .changes = true, .domain = MEMBER_REQUIRED},
};

bool control_verb_changes(enum control_verb verb)
{
	return verbs[verb].changes;
}

/** Refuses members that the verb does not have, and requires those that it needs. */
static int check_members(const struct json_value *root, const struct verb *verb,
                         struct json_error *error)
{
	static const char *const policy_keys[] = {"share_permille", "burst_us", "for_s", "persist",
	                                          "dry_run",        "absent",   "name"};
	static const char *const trial_keys[] = {"profile", "share_permille", "burst_us",
	                                         "for_s",   "window_min_ms",  "window_max_ms"};
	static const char *const assign_keys[] = {"policy", "persist", "absent", "name"};
	const char *keys[6 + ARRAY_SIZE(policy_keys) + ARRAY_SIZE(trial_keys) +
	                 ARRAY_SIZE(assign_keys)] = {"verb"};
	size_t n = 1;
	int r;

	if (verb->domain != MEMBER_REFUSED)
		keys[n++] = "domain";
	if (verb->vcpu != MEMBER_REFUSED)
		keys[n++] = "vcpu";
	if (verb->profile != MEMBER_REFUSED) {
		keys[n++] = "profile";
		for (size_t i = 0; i < ARRAY_SIZE(policy_keys); i++)
			keys[n++] = policy_keys[i];
	}
	for (size_t i = 0; i < ARRAY_SIZE(trial_keys) && verb->trial != MEMBER_REFUSED; i++)
		keys[n++] = trial_keys[i];
	for (size_t i = 0; i < ARRAY_SIZE(assign_keys) && verb->policy != MEMBER_REFUSED; i++)
		keys[n++] = assign_keys[i];
	if (verb->for_us != MEMBER_REFUSED)
		keys[n++] = "for_us";
	if (verb->vcpus != MEMBER_REFUSED)
		keys[n++] = "vcpus";
	r = json_check_keys(root, keys, n, error);
	if (r < 0)
		return r;
	if (verb->domain == MEMBER_REQUIRED && !json_member(root, "domain"))
		return json_fail(root, error, "\"%s\" needs a \"domain\"", verb->name);
	if (verb->profile == MEMBER_REQUIRED && !json_member(root, "profile"))
		return json_fail(root, error, "\"%s\" needs a \"profile\"", verb->name);
	if (verb->policy == MEMBER_REQUIRED && !json_member(root, "policy"))
		return json_fail(root, error, "\"%s\" needs a \"policy\"", verb->name);
	if (verb->for_us == MEMBER_REQUIRED && !json_member(root, "for_us"))
		return json_fail(root, error, "\"%s\" needs a \"for_us\"", verb->name);
	if (verb->vcpus == MEMBER_REQUIRED && !json_member(root, "vcpus"))
		return json_fail(root, error, "\"%s\" needs \"vcpus\"", verb->name);
	return 0;
}

/** Reads an optional string, which must be neither empty nor too long. */
static int get_text(const struct json_value *root, const char *key, char *buffer, size_t size,
                    struct json_error *error)
{
	int r = json_get_string(root, key, buffer, size, error);

	if (r < 0)
		return r;
	if (json_member(root, key) && buffer[0] == '\0')
		return json_fail(json_member(root, key), error, "may not be empty");
	return 0;
}

static int get_flags(const struct json_value *root, struct control_request *request,
                     struct json_error *error)
{
	int r = json_get_bool(root, "persist", &request->persist, error);

	if (r == 0)
		r = json_get_bool(root, "dry_run", &request->dry_run, error);
	if (r == 0)
		r = json_get_bool(root, "absent", &request->absent, error);
	return r;
}

static int get_figures(const struct json_value *root, struct control_request *request,
                       struct json_error *error)
{
	int64_t share_permille = 0, burst_us = 0;
	int r;

	r = json_get_integer(root, "share_permille", 1, SHARE_PERMILLE_MAX, &share_permille, error);
	if (r == 0)
		r = json_get_integer(root, "burst_us", BURST_US_MIN, BURST_US_MAX, &burst_us,
		                     error);
	request->share_permille = (uint32_t)share_permille;
	request->burst_ns = (uint64_t)burst_us * NSEC_PER_USEC;
	return r;
}

/** Both bounds or neither. */
static int get_windows(const struct json_value *root, struct control_request *request,
                       struct json_error *error)
{
	int64_t min_ms = 0, max_ms = 0;
	int r;

	r = json_get_integer(root, "window_min_ms", WINDOW_MS_MIN, WINDOW_MS_MAX, &min_ms, error);
	if (r == 0)
		r = json_get_integer(root, "window_max_ms", WINDOW_MS_MIN, WINDOW_MS_MAX, &max_ms,
		                     error);
	if (r == 0 && (!min_ms != !max_ms || min_ms > max_ms))
		r = json_fail(root, error,
		              "\"window_min_ms\" and \"window_max_ms\" are given together, and the "
		              "first is not above the second");
	request->window_min_ns = (uint64_t)min_ms * NSEC_PER_MSEC;
	request->window_max_ns = (uint64_t)max_ms * NSEC_PER_MSEC;
	return r;
}

static int get_members(const struct json_value *root, struct control_request *request,
                       struct json_error *error)
{
	int64_t vcpu = -1, for_s = 0, for_us = 0;
	int r;

	r = get_text(root, "domain", request->domain, sizeof(request->domain), error);
	if (r < 0)
		return r;
	r = get_text(root, "profile", request->profile, sizeof(request->profile), error);
	if (r < 0)
		return r;
	r = get_text(root, "policy", request->policy, sizeof(request->policy), error);
	if (r < 0)
		return r;
	r = get_text(root, "vcpus", request->vcpus, sizeof(request->vcpus), error);
	if (r < 0)
		return r;
	r = get_text(root, "name", request->name, sizeof(request->name), error);
	if (r < 0)
		return r;
	r = get_flags(root, request, error);
	if (r < 0)
		return r;
	r = json_get_integer(root, "vcpu", 0, VCPU_INDEX_MAX, &vcpu, error);
	if (r < 0)
		return r;
	r = json_get_integer(root, "for_s", 1, FOR_S_MAX, &for_s, error);
	if (r < 0)
		return r;
	r = json_get_integer(root, "for_us", 1, BOOST_US_MAX, &for_us, error);
	if (r < 0)
		return r;
	if (request->persist && for_s > 0)
		return json_fail(
		        root, error,
		        "\"for_s\" and \"persist\" exclude each other: a policy that ends by "
		        "itself is not kept over a restart; give only one of them");
	r = get_figures(root, request, error);
	if (r == 0)
		r = get_windows(root, request, error);
	if (r < 0)
		return r;
	request->vcpu = (int)vcpu;
	request->for_ns = (uint64_t)for_s * NSEC_PER_SEC + (uint64_t)for_us * NSEC_PER_USEC;
	return 0;
}

static int get_verb(const struct json_value *root, enum control_verb *ret, struct json_error *error)
{
	const char *words[_CONTROL_VERB_MAX];
	size_t index = 0;
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		words[i] = verbs[i].name;
	r = json_check_object(root, error);
	if (r < 0)
		return r;
	if (!json_member(root, "verb"))
		return json_fail(root, error, "the key \"verb\" is missing");
	r = json_get_word(root, "verb", words, ARRAY_SIZE(words), &index, error);
	if (r < 0)
		return r;
	*ret = (enum control_verb)index;
	return 0;
}

int control_parse(const char *line, size_t size, struct control_request *ret, char *error,
                  size_t error_size)
{
	struct control_request request = {.vcpu = -1};
	struct json_doc *doc CLEANUP(json_cleanup) = NULL;
	struct json_error why = JSON_ERROR_NULL;
	int r;

	r = json_parse(line, size, &doc, &why);
	if (r >= 0)
		r = get_verb(json_root(doc), &request.verb, &why);
	if (r >= 0)
		r = check_members(json_root(doc), &verbs[request.verb], &why);
	if (r >= 0)
		r = get_members(json_root(doc), &request, &why);
	if (r < 0) {
		json_error_format(&why, "request", error, error_size);
		return r;
	}
	*ret = request;
	return 0;
}
