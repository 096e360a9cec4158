/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The object "profiles" of the configuration, and the members that domain entries share with it.
 */
#include <stdio.h>
#include <string.h>

#include "config/parse_profiles.h"
#include "config/config.h"
#include "config/parse_value.h"
#include "config/tables.h"
#include "policy/registry.h"

#define BURST_US_MAX ((int64_t)(PROFILE_BURST_NS_MAX / NSEC_PER_USEC))
#define SLICE_US_MIN ((int64_t)(PROFILE_SLICE_NS_MIN / NSEC_PER_USEC))
#define SLICE_US_MAX ((int64_t)(PROFILE_SLICE_NS_MAX / NSEC_PER_USEC))

static void note_where(const struct json_value *object, const char *key, struct config_where *where)
{
	const struct json_value *value = json_member(object, key);

	if (value)
		*where = config_where(value);
}

/* Which policy boosts its vCPUs; "guest": the one that the guest names. */
static int parse_policy(const struct json_value *value, struct profile *profile,
                        struct config_figures *figures, struct json_error *error)
{
	const struct json_value *member = json_member(value, "policy");
	char known[128], quoted[128];
	const char *label;
	int r;

	if (!member)
		return 0;
	r = json_as_string(member, &label, error);
	if (r < 0)
		return r;
	profile->policy = registry_parse(label);
	if (profile->policy == REGISTRY_NONE && strcmp(label, REGISTRY_GUEST) != 0) {
		registry_list(known, sizeof(known));
		json_quote(label, quoted, sizeof(quoted));
		return json_fail(member, error, "there is no policy %s; write one of %s, or \"%s\"",
		                 quoted, known, REGISTRY_GUEST);
	}
	figures->policy = config_where(member);
	return 0;
}

int config_parse_figures(const struct json_value *value, struct profile *profile,
                         struct config_figures *figures, struct json_error *error)
{
	int r;

	note_where(value, "share_permille", &figures->share_permille);
	note_where(value, "burst_us", &figures->burst);
	r = parse_policy(value, profile, figures, error);
	if (r < 0)
		return r;
	r = config_get_u32(value, "share_permille", 1, PROFILE_SHARE_PERMILLE_MAX,
	                   &profile->share_permille, error);
	if (r < 0)
		return r;
	return config_get_duration(value, "burst_us", NSEC_PER_USEC, CONFIG_BURST_US_MIN,
	                           BURST_US_MAX, &profile->burst_ns, error);
}

/* Where it is learned, burst_max_us stands in for burst_us, also for entries and commands. */
static int parse_burst_max(const struct json_value *value, struct profile *profile,
                           struct config_figures *figures, struct json_error *error)
{
	const struct json_value *burst = json_member(value, "burst_us");
	int r = config_get_duration(value, "burst_max_us", NSEC_PER_USEC, CONFIG_BURST_US_MIN,
	                            BURST_US_MAX, &profile->burst_max_ns, error);

	if (r < 0 || profile->mode != PROFILE_AUTO)
		return r;
	if (burst)
		return json_fail(burst, error,
		                 "a profile of mode \"auto\" learns its burst; write "
		                 "burst_max_us, the most that it may be");
	note_where(value, "burst_max_us", &figures->burst);
	profile->burst_ns = profile->burst_max_ns;
	return 0;
}

static bool is_profile_name(const char *name)
{
	size_t n = strlen(name);

	return n > 0 && n < PROFILE_NAME_MAX &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == n;
}

/* Finds the profile that a key names, or adds a new one, which starts as a copy of "observe". */
static int open_profile(const struct json_value *value, struct config *config, size_t *ret,
                        struct json_error *error)
{
	const char *name = json_key(value);
	long i = config_find_profile(config, name);
	struct profile *profile;

	if (!is_profile_name(name))
		return json_fail(value, error,
		                 "a profile name has 1 to %d characters from a-z, 0-9 and -",
		                 PROFILE_NAME_MAX - 1);
	if (i >= 0 && i < CONFIG_BUILT_IN && config->profiles[i].mode == PROFILE_OFF)
		return json_fail(value, error, "is built in and cannot be changed");
	if (i >= 0) {
		*ret = (size_t)i;
		return 0;
	}
	*ret = config->n_profiles++;
	profile = &config->profiles[*ret];
	*profile = PROFILE_OBSERVE_INIT;
	memcpy(profile->name, name, strlen(name) + 1);
	return 0;
}

static int parse_requests(const struct json_value *value, enum profile_requests *ret,
                          struct json_error *error)
{
	static const char *const words[_PROFILE_REQUESTS_MAX] = {
	        [PROFILE_REQUESTS_HEED] = "heed",
	        [PROFILE_REQUESTS_IGNORE] = "ignore",
	        [PROFILE_REQUESTS_REQUIRE] = "require",
	};
	size_t word = *ret;
	int r = json_get_word(value, "guest_requests", words, ARRAY_SIZE(words), &word, error);

	if (r == 0)
		*ret = (enum profile_requests)word;
	return r;
}

static int parse_levers(const struct json_value *value, uint32_t *ret, struct json_error *error)
{
	static const char *const words[] = {"rt", "slice", "uclamp"};
	static const uint32_t levers[] = {PROFILE_LEVER_RT, PROFILE_LEVER_SLICE,
	                                  PROFILE_LEVER_UCLAMP};
	const struct json_value *array = json_member(value, "levers");
	uint32_t found = 0;
	size_t word;
	int r;

	if (!array)
		return 0;
	if (json_type(array) != JSON_ARRAY || !json_first(array))
		return json_fail(array, error,
		                 "must be an array of \"rt\", \"slice\" and \"uclamp\"");
	JSON_FOREACH(element, array)
	{
		r = json_as_word(element, words, ARRAY_SIZE(words), &word, error);
		if (r < 0)
			return r;
		if (found & levers[word])
			return json_fail(element, error, "is listed twice; remove one");
		found |= levers[word];
	}
	*ret = found;
	return 0;
}

/* Whether its guests step aside, and which of them first. */
static int parse_avoid(const struct json_value *value, struct profile *profile,
                       struct json_error *error)
{
	static const char *const words[_PROFILE_AVOID_MAX] = {
	        [PROFILE_AVOID_NEVER] = "never",
	        [PROFILE_AVOID_AUTO] = "auto",
	};
	size_t word = profile->avoid;
	int r = json_get_word(value, "avoid", words, ARRAY_SIZE(words), &word, error);

	profile->avoid = (enum profile_avoid)word;
	return r < 0 ? r
	             : config_get_u32(value, "yield_order", 0, PROFILE_YIELD_ORDER_MAX,
	                              &profile->yield_order, error);
}

/* What its vCPUs do about others that they wait for. */
static int parse_help(const struct json_value *value, uint32_t *ret, struct json_error *error)
{
	static const char *const keys[] = {"ipi", "relaxed", "hold"};
	static const uint32_t switches[] = {PROFILE_HELP_IPI, PROFILE_HELP_RELAXED,
	                                    PROFILE_HELP_HOLD};
	const struct json_value *object = json_member(value, "help");
	int r;

	if (!object)
		return 0;
	r = json_check_object(object, error);
	if (r == 0)
		r = json_check_keys(object, keys, ARRAY_SIZE(keys), error);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(keys); i++) {
		bool on = *ret & switches[i];

		r = json_get_bool(object, keys[i], &on, error);
		*ret = on ? *ret | switches[i] : *ret & ~switches[i];
	}
	return r;
}

static int parse_helpers(const struct json_value *value, enum profile_helpers *ret,
                         struct json_error *error)
{
	static const char *const words[_PROFILE_HELPERS_MAX] = {
	        [PROFILE_HELPERS_OBSERVE] = "observe",
	        [PROFILE_HELPERS_FOLLOW] = "follow",
	};
	size_t word = *ret;
	int r = json_get_word(value, "helpers", words, ARRAY_SIZE(words), &word, error);

	*ret = (enum profile_helpers)word;
	return r;
}

/* Which levers it has, and how far the standing ones are drawn. */
static int parse_standing(const struct json_value *value, struct profile *profile,
                          struct json_error *error)
{
	int r = parse_levers(value, &profile->levers, error);

	if (r == 0)
		r = config_get_duration(value, "slice_us", NSEC_PER_USEC, SLICE_US_MIN,
		                        SLICE_US_MAX, &profile->slice_ns, error);
	if (r == 0)
		r = config_get_u32(value, "util_min", 1, PROFILE_UTIL_MAX, &profile->util_min,
		                   error);
	if (r == 0)
		r = config_get_u32(value, "util_permille", 1, 1000, &profile->util_permille, error);
	return r;
}

static int parse_profile(const struct json_value *value, struct config *config,
                         struct json_error *error)
{
	static const char *const keys[] = {
	        "mode",         "share_permille", "burst_us", "burst_max_us", "guest_requests",
	        "on_interrupt", "levers",         "slice_us", "util_min",     "util_permille",
	        "avoid",        "yield_order",    "policy",   "help",         "helpers"};
	static const char *const modes[] = {[PROFILE_OFF] = "off",
	                                    [PROFILE_OBSERVE] = "observe",
	                                    [PROFILE_BOOST] = "boost",
	                                    [PROFILE_AUTO] = "auto"};
	struct profile *profile;
	size_t place = 0, mode;
	int r;

	r = open_profile(value, config, &place, error);
	if (r < 0)
		return r;
	profile = &config->profiles[place];
	r = json_check_keys(value, keys, ARRAY_SIZE(keys), error);
	if (r < 0)
		return r;
	mode = profile->mode;
	r = json_get_word(value, "mode", modes, ARRAY_SIZE(modes), &mode, error);
	if (r < 0)
		return r;
	if (place < CONFIG_BUILT_IN && mode != profile->mode)
		return json_fail(json_member(value, "mode"), error,
		                 "the built-in profile %s keeps its mode \"%s\"; for another mode, "
		                 "define a profile with another name",
		                 profile->name, modes[profile->mode]);
	profile->mode = (enum profile_mode)mode;
	r = parse_requests(value, &profile->requests, error);
	if (r == 0)
		r = json_get_bool(value, "on_interrupt", &profile->on_interrupt, error);
	if (r == 0)
		r = parse_standing(value, profile, error);
	if (r == 0)
		r = parse_avoid(value, profile, error);
	if (r == 0)
		r = parse_help(value, &profile->help, error);
	if (r == 0)
		r = parse_helpers(value, &profile->helpers, error);
	if (r == 0)
		r = config_parse_figures(value, profile, &config->figures[place], error);
	if (r == 0)
		r = parse_burst_max(value, profile, &config->figures[place], error);
	return r;
}

int config_parse_profiles(const struct json_value *value, struct config *config,
                          struct json_error *error)
{
	int r = json_check_object(value, error);

	if (r < 0)
		return r;
	JSON_FOREACH(member, value)
	{
		if (json_is_annotation(member))
			continue;
		r = parse_profile(member, config, error);
		if (r < 0)
			return r;
	}
	return 0;
}

int config_get_profile(const struct json_value *value, const struct config *config, size_t *ret,
                       struct json_error *error)
{
	char known[256] = "", quoted[128];
	const char *name;
	long i;
	int r;

	r = json_as_string(value, &name, error);
	if (r < 0)
		return r;
	i = config_find_profile(config, name);
	if (i >= 0) {
		*ret = (size_t)i;
		return 0;
	}
	config_list_profiles(config, known, sizeof(known));
	json_quote(name, quoted, sizeof(quoted));
	return json_fail(value, error, "there is no profile %s; profiles: %s", quoted, known);
}
