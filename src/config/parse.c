/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From JSON to struct config: config_parse_all() of config/config.h. Each object is first checked
 * for unknown keys, then its values are read. So a misspelt key never silently means a default.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "config/origins.h"
#include "config/parse_domains.h"
#include "config/parse_host.h"
#include "config/parse_profiles.h"
#include "config/parse_value.h"
#include "config/tables.h"
#include "util/cleanup.h"
#include "util/json.h"

#define CONFIG_VERSION 1

#define SUMMARY_INTERVAL_S_MAX 86400

/* --- The whole --- */

/* The version is checked before the keys, because a newer file may have keys unknown here. */
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
		                 version > CONFIG_VERSION
		                         ? ": the file was written for a newer pvschedd"
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
	config->default_where = config_where(profile);
	return config_get_profile(profile, config, &config->default_profile, error);
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

/* Profiles are parsed before the values that refer to them, whatever their order in the file. */
static int parse_root(const struct json_value *root, struct config *config,
                      struct json_error *error)
{
	const struct json_value *host = json_member(root, "host");
	const struct json_value *profiles = json_member(root, "profiles");
	const struct json_value *domains = json_member(root, "domains");
	int r;

	r = host ? config_parse_host(host, &config->host, error) : 0;
	if (r < 0)
		return r;
	r = profiles ? config_parse_profiles(profiles, config, error) : 0;
	if (r < 0)
		return r;
	r = parse_switches(root, config, error);
	if (r < 0)
		return r;
	return domains ? config_parse_domains(domains, config, error) : 0;
}

/* --- Several files --- */

struct input {
	const struct config_text *files;
	struct json_doc **docs; /* of the files */
	size_t n;
	struct json_doc *merged; /* NULL: there is one file */
};

static void input_finish(struct input *input)
{
	json_free(input->merged);
	for (size_t i = 0; input->docs && i < input->n; i++)
		json_free(input->docs[i]);
	free(input->docs);
}

static const struct json_value *whole_root(const struct input *input)
{
	return json_root(input->merged ? input->merged : input->docs[0]);
}

static int parse_file(const struct config_text *file, unsigned int place, struct json_doc **ret,
                      struct json_error *error)
{
	int r = -EBADMSG;

	if (file->size > CONFIG_FILE_MAX)
		json_fail(NULL, error, "is larger than %d bytes", CONFIG_FILE_MAX);
	else
		r = json_parse(file->text, file->size, ret, error);
	if (r < 0)
		error->file = place;
	else
		json_set_file(*ret, place);
	return r;
}

static int parse_files(struct input *input, struct json_error *error)
{
	int r;

	input->docs = calloc(input->n, sizeof(*input->docs));
	if (!input->docs)
		return config_out_of_memory(error);
	for (size_t i = 0; i < input->n; i++) {
		r = parse_file(&input->files[i], (unsigned int)i, &input->docs[i], error);
		if (r == 0)
			r = check_root(json_root(input->docs[i]), error);
		if (r < 0)
			return r;
	}
	if (input->n == 1)
		return 0;
	return json_merge((const struct json_doc *const *)input->docs, input->n, &input->merged,
	                  error);
}

/*
 * Checks one file, including values that another file overrides. Its values may refer to the
 * profiles of all files.
 */
static int check_alone(const struct input *input, const struct json_value *root,
                       struct json_error *error)
{
	struct config *config CLEANUP(config_cleanup) = NULL;
	const struct json_value *all = json_member(whole_root(input), "profiles");
	const struct json_value *own = json_member(root, "profiles");
	int r;

	config = config_new(input->files, input->n,
	                    (all ? config_count_members(all) : 0) +
	                            (own ? config_count_members(own) : 0));
	if (!config)
		return config_out_of_memory(error);
	r = all ? config_parse_profiles(all, config, error) : 0;
	return r < 0 ? r : parse_root(root, config, error);
}

static int parse_whole(const struct input *input, struct config **ret, struct json_error *error)
{
	struct config *config CLEANUP(config_cleanup) = NULL;
	const struct json_value *profiles = json_member(whole_root(input), "profiles");
	int r;

	config = config_new(input->files, input->n, profiles ? config_count_members(profiles) : 0);
	if (!config)
		return config_out_of_memory(error);
	r = parse_root(whole_root(input), config, error);
	if (r == 0)
		r = config_note_origins(whole_root(input), config, error);
	if (r < 0)
		return r;
	*ret = STEAL(config, NULL);
	return 0;
}

static int parse_all(struct input *input, struct config **ret, struct json_error *error)
{
	int r = parse_files(input, error);

	for (size_t i = 0; r == 0 && input->merged && i < input->n; i++)
		r = check_alone(input, json_root(input->docs[i]), error);
	return r < 0 ? r : parse_whole(input, ret, error);
}

int config_parse_all(const struct config_text *files, size_t n, struct config **ret, char *error,
                     size_t error_size)
{
	struct input input CLEANUP(input_finish) = {.files = files, .n = n};
	struct json_error json_error = JSON_ERROR_NULL;
	int r = parse_all(&input, ret, &json_error);

	if (r < 0)
		json_error_format(&json_error, files[json_error.file].name, error, error_size);
	return r;
}
