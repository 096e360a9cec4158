/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From JSON to struct config: config_parse() of config/config.h. Each object is checked for keys
 * that are not known before its values are looked at, so that a misspelt key is never silently a
 * default.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/match.h"
#include "config/parse.h"
#include "config/tables.h"
#include "model/domain.h"
#include "util/cleanup.h"
#include "util/json.h"

#define CONFIG_VERSION 1

#define SUMMARY_INTERVAL_S_MAX 86400
#define BURST_US_MAX           ((int64_t)(PROFILE_BURST_NS_MAX / NSEC_PER_USEC))

static int out_of_memory(struct json_error *error)
{
	json_fail(NULL, error, "out of memory");
	return -ENOMEM;
}

/* --- "profiles" --- */

static int parse_figures(const struct json_value *value, struct profile *profile,
                         struct json_error *error)
{
	int r;

	r = config_get_u32(value, "share_permille", 1, PROFILE_SHARE_PERMILLE_MAX,
	                   &profile->share_permille, error);
	if (r < 0)
		return r;
	return config_get_duration(value, "burst_us", NSEC_PER_USEC, CONFIG_BURST_US_MIN,
	                           BURST_US_MAX, &profile->burst_ns, error);
}

static bool is_profile_name(const char *name)
{
	size_t n = strlen(name);

	return n > 0 && n < PROFILE_NAME_MAX &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == n;
}

/* The profile that a key means: a built-in one to be changed, or a new one like "observe". */
static int open_profile(const struct json_value *value, struct config *config, struct profile **ret,
                        bool *built_in, struct json_error *error)
{
	const char *name = json_key(value);
	long i = config_find_profile(config, name);
	struct profile *profile = NULL;

	if (!is_profile_name(name))
		return json_fail(value, error,
		                 "a profile's name has 1 to %d characters out of a-z, 0-9 and -",
		                 PROFILE_NAME_MAX - 1);
	*built_in = i >= 0;
	if (i >= 0 && config->profiles[i].mode == PROFILE_OFF)
		return json_fail(value, error, "is built in and cannot be changed");
	if (i >= 0) {
		*ret = &config->profiles[i];
		return 0;
	}
	profile = &config->profiles[config->n_profiles++];
	*profile = PROFILE_OBSERVE_INIT;
	memcpy(profile->name, name, strlen(name) + 1);
	*ret = profile;
	return 0;
}

static int parse_profile(const struct json_value *value, struct config *config,
                         struct json_error *error)
{
	static const char *const keys[] = {"mode", "share_permille", "burst_us"};
	static const char *const modes[] = {
	        [PROFILE_OFF] = "off", [PROFILE_OBSERVE] = "observe", [PROFILE_BOOST] = "boost"};
	struct profile *profile = NULL;
	bool built_in = false;
	size_t mode;
	int r;

	r = open_profile(value, config, &profile, &built_in, error);
	if (r < 0)
		return r;
	r = json_check_keys(value, keys, ARRAY_SIZE(keys), error);
	if (r < 0)
		return r;
	mode = profile->mode;
	r = json_get_word(value, "mode", modes, ARRAY_SIZE(modes), &mode, error);
	if (r < 0)
		return r;
	if (built_in && mode != profile->mode)
		return json_fail(json_member(value, "mode"), error,
		                 "the built-in profile %s keeps its mode \"%s\"; for another mode "
		                 "make a profile of another name",
		                 profile->name, modes[profile->mode]);
	profile->mode = (enum profile_mode)mode;
	return parse_figures(value, profile, error);
}

static int parse_profiles(const struct json_value *value, struct config *config,
                          struct json_error *error)
{
	int r;

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

/* Looks up the profile that a string names. */
static int find_profile(const struct json_value *value, const struct config *config, size_t *ret,
                        struct json_error *error)
{
	char known[256] = "", quoted[128];
	const char *name;
	size_t length = 0;
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
	for (size_t p = 0; p < config->n_profiles && length < sizeof(known); p++)
		length += (size_t)snprintf(known + length, sizeof(known) - length, "%s%s",
		                           p ? ", " : "", config->profiles[p].name);
	json_quote(name, quoted, sizeof(quoted));
	return json_fail(value, error, "there is no profile %s; profiles: %s", quoted, known);
}

/* --- "domains" --- */

/* Checks the key of an entry, and writes it as it will be looked up. */
static int check_key(const struct json_value *value, enum config_match match,
                     char ret[DOMAIN_NAME_MAX], struct json_error *error)
{
	const char *key = json_key(value);
	const char *problem;

	switch (match) {
	case CONFIG_MATCH_UUID:
		if (!uuid_canonical(key, ret))
			return json_fail(value, error,
			                 "is not a uuid such as "
			                 "\"6695eb01-f6a4-8304-79aa-97f2502e193f\"; `virsh domuuid "
			                 "NAME` shows it");
		return 0;
	case CONFIG_MATCH_GLOB:
		problem = glob_problem(key);
		if (problem)
			return json_fail(value, error, "%s", problem);
		break;
	case CONFIG_MATCH_NAME:
	case CONFIG_MATCH_DEFAULT:
		if (!key[0] || strlen(key) >= DOMAIN_NAME_MAX)
			return json_fail(value, error, "a domain's name has 1 to %d bytes",
			                 DOMAIN_NAME_MAX - 1);
		break;
	}
	memcpy(ret, key, strlen(key) + 1);
	return 0;
}

static int parse_entry(const struct json_value *value, const struct config *config,
                       enum config_match match, struct config_entry *entry,
                       struct json_error *error)
{
	static const char *const keys[] = {"profile", "share_permille", "burst_us"};
	const struct json_value *name = json_member(value, "profile");
	char key[DOMAIN_NAME_MAX], path[JSON_PATH_MAX];
	size_t profile = config->default_profile;
	int r;

	r = check_key(value, match, key, error);
	if (r < 0)
		return r;
	r = json_check_keys(value, keys, ARRAY_SIZE(keys), error);
	if (r < 0)
		return r;
	r = name ? find_profile(name, config, &profile, error) : 0;
	if (r < 0)
		return r;
	entry->profile = config->profiles[profile];
	r = parse_figures(value, &entry->profile, error);
	if (r < 0)
		return r;
	json_path(value, path, sizeof(path));
	entry->line = json_line(value);
	entry->literals = match == CONFIG_MATCH_GLOB ? glob_literals(key) : 0;
	entry->key = strdup(key);
	entry->path = strdup(path);
	return entry->key && entry->path ? 0 : out_of_memory(error);
}

/* JSON has no two equal keys, but two spellings of one uuid are two keys. */
static int check_unique(const struct config_entries *entries, struct json_error *error)
{
	for (size_t i = 1; i < entries->n; i++) {
		const struct config_entry *a = &entries->entries[i - 1], *b = &entries->entries[i];

		if (strcmp(a->key, b->key) != 0)
			continue;
		json_fail(NULL, error, "the same uuid is already on line %u",
		          MIN(a->line, b->line));
		error->line = MAX(a->line, b->line);
		snprintf(error->path, sizeof(error->path), "%s",
		         a->line > b->line ? a->path : b->path);
		return -EBADMSG;
	}
	return 0;
}

static size_t count_members(const struct json_value *value)
{
	size_t n = 0;

	JSON_FOREACH(member, value)
	n += !json_is_annotation(member);
	return n;
}

static int parse_entries(const struct json_value *value, struct config *config,
                         enum config_match match, struct json_error *error)
{
	struct config_entries *entries = &config->by_match[match];
	size_t n;
	int r;

	r = json_check_object(value, error);
	if (r < 0)
		return r;
	n = count_members(value);
	if (n == 0)
		return 0;
	entries->entries = calloc(n, sizeof(*entries->entries));
	if (!entries->entries)
		return out_of_memory(error);
	JSON_FOREACH(member, value)
	{
		if (json_is_annotation(member))
			continue;
		/* Counted first, so that what it has got is freed on failure. */
		r = parse_entry(member, config, match, &entries->entries[entries->n++], error);
		if (r < 0)
			return r;
	}
	qsort(entries->entries, entries->n, sizeof(*entries->entries), config_compare_keys);
	return check_unique(entries, error);
}

static int parse_domains(const struct json_value *value, struct config *config,
                         struct json_error *error)
{
	static const char *const kinds[] = {[CONFIG_MATCH_UUID] = "uuid",
	                                    [CONFIG_MATCH_NAME] = "name",
	                                    [CONFIG_MATCH_GLOB] = "glob"};
	int r;

	r = json_check_keys(value, kinds, ARRAY_SIZE(kinds), error);
	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		const struct json_value *entries = json_member(value, kinds[i]);

		r = entries ? parse_entries(entries, config, (enum config_match)i, error) : 0;
		if (r < 0)
			return r;
	}
	return 0;
}

/* --- The whole --- */

/* First of all: a newer file's unknown keys are not mistakes. */
static int check_version(const struct json_value *root, struct json_error *error)
{
	const struct json_value *value = json_member(root, "version");
	int64_t version;
	int r;

	if (!value)
		return json_fail(root, error, "the key \"version\" is missing; add \"version\": %d",
		                 CONFIG_VERSION);
	r = json_as_integer(value, -JSON_INTEGER_MAX, JSON_INTEGER_MAX, &version, error);
	if (r < 0)
		return r;
	if (version != CONFIG_VERSION)
		return json_fail(value, error, "is %lld; this pvschedd reads version %d%s",
		                 (long long)version, CONFIG_VERSION,
		                 version > CONFIG_VERSION ? ": the file was written for a newer one"
		                                          : "");
	return 0;
}

static int parse_switches(const struct json_value *root, struct config *config,
                          struct json_error *error)
{
	const struct json_value *profile = json_member(root, "default_profile");
	int r;

	r = json_get_bool(root, "enabled", &config->host.enabled, error);
	if (r < 0)
		return r;
	r = config_get_duration(root, "summary_interval_s", NSEC_PER_SEC, 0, SUMMARY_INTERVAL_S_MAX,
	                        &config->host.summary_interval_ns, error);
	if (r < 0 || !profile)
		return r;
	config->default_line = json_line(profile);
	return find_profile(profile, config, &config->default_profile, error);
}

static int check_root(const struct json_value *root, struct json_error *error)
{
	static const char *const keys[] = {
	        "version",         "enabled",  "host",    "summary_interval_s",
	        "default_profile", "profiles", "domains",
	};
	int r;

	r = json_check_object(root, error);
	if (r < 0)
		return r;
	r = check_version(root, error);
	if (r < 0)
		return r;
	return json_check_keys(root, keys, ARRAY_SIZE(keys), error);
}

/* Profiles come before what refers to them, wherever they stand in the file. */
static int parse_root(const struct json_value *root, const struct json_value *profiles,
                      struct config *config, struct json_error *error)
{
	const struct json_value *host = json_member(root, "host");
	const struct json_value *domains = json_member(root, "domains");
	int r;

	r = host ? config_parse_host(host, &config->host, error) : 0;
	if (r < 0)
		return r;
	r = profiles ? parse_profiles(profiles, config, error) : 0;
	if (r < 0)
		return r;
	r = parse_switches(root, config, error);
	if (r < 0)
		return r;
	return domains ? parse_domains(domains, config, error) : 0;
}

static int parse_document(const char *name, const struct json_value *root, struct config **ret,
                          struct json_error *error)
{
	struct config *config CLEANUP(config_cleanup) = NULL;
	const struct json_value *profiles;
	int r;

	r = check_root(root, error);
	if (r < 0)
		return r;
	profiles = json_member(root, "profiles");
	r = profiles ? json_check_object(profiles, error) : 0;
	if (r < 0)
		return r;
	config = config_new(name, profiles ? count_members(profiles) : 0);
	if (!config)
		return out_of_memory(error);
	r = parse_root(root, profiles, config, error);
	if (r < 0)
		return r;
	*ret = STEAL(config, NULL);
	return 0;
}

int config_parse(const char *name, const char *text, size_t size, struct config **ret, char *error,
                 size_t error_size)
{
	struct json_doc *doc CLEANUP(json_cleanup) = NULL;
	struct json_error json_error;
	int r;

	if (size > CONFIG_FILE_MAX) {
		json_fail(NULL, &json_error, "is larger than %d bytes", CONFIG_FILE_MAX);
		r = -EBADMSG;
	} else {
		r = json_parse(text, size, &doc, &json_error);
	}
	if (r == 0)
		r = parse_document(name, json_root(doc), ret, &json_error);
	if (r < 0)
		json_error_format(&json_error, name, error, error_size);
	return r;
}
