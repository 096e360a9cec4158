/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The object "domains" of the configuration: which domain gets which profile.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/match.h"
#include "config/parse_domains.h"
#include "config/parse_profiles.h"
#include "config/parse_value.h"
#include "config/tables.h"

/* Checks the key of an entry, and writes it in the form that look-ups use. */
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
	case CONFIG_MATCH_VMID:
		if (key[0] < '1' || key[0] > '9' || strlen(key) > LABEL_VMID_DIGITS_MAX ||
		    strspn(key, "0123456789") != strlen(key))
			return json_fail(
			        value, error,
			        "is not a VM's number such as \"100\"; `qm list` shows it");
		break;
	case CONFIG_MATCH_TAG:
	case CONFIG_MATCH_TITLE:
	case CONFIG_MATCH_GLOB:
	case CONFIG_MATCH_FLAVOR:
		problem = glob_problem(key);
		if (problem)
			return json_fail(value, error, "%s", problem);
		break;
	case CONFIG_MATCH_NAME:
	case CONFIG_MATCH_DEFAULT:
		if (!key[0] || strlen(key) >= DOMAIN_NAME_MAX)
			return json_fail(value, error, "a domain name has 1 to %d bytes",
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
	static const char *const keys[] = {"profile", "share_permille", "burst_us", "policy"};
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
	r = name ? config_get_profile(name, config, &profile, error) : 0;
	if (r < 0)
		return r;
	entry->base = profile;
	entry->profile = config->profiles[profile];
	r = config_parse_figures(value, &entry->profile, &entry->figures, error);
	if (r < 0)
		return r;
	json_path(value, path, sizeof(path));
	entry->where = config_where(value);
	entry->profile_where = config_where(name);
	entry->literals = config_match_is_glob(match) ? glob_literals(key) : 0;
	entry->key = strdup(key);
	entry->path = strdup(path);
	return entry->key && entry->path ? 0 : config_out_of_memory(error);
}

static bool stands_before(const struct config_where *a, const struct config_where *b)
{
	return a->file != b->file ? a->file < b->file : a->line < b->line;
}

/* The JSON parser refuses equal keys, but two spellings of one uuid are different keys. */
static int check_unique(const struct config *config, const struct config_entries *entries,
                        struct json_error *error)
{
	for (size_t i = 1; i < entries->n; i++) {
		const struct config_entry *a = &entries->entries[i - 1], *b = &entries->entries[i];

		if (strcmp(a->key, b->key) != 0)
			continue;
		if (stands_before(&b->where, &a->where))
			b = a, a = &entries->entries[i];
		if (a->where.file == b->where.file)
			json_fail(NULL, error,
			          "the same uuid is already on line %u; remove one of the entries",
			          a->where.line);
		else
			json_fail(NULL, error,
			          "the same uuid is already on line %u of %s, with letters in "
			          "another case; write it the same way",
			          a->where.line, config->files[a->where.file]);
		error->file = b->where.file;
		error->line = b->where.line;
		snprintf(error->path, sizeof(error->path), "%s", b->path);
		return -EBADMSG;
	}
	return 0;
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
	n = config_count_members(value);
	if (n == 0)
		return 0;
	entries->entries = calloc(n, sizeof(*entries->entries));
	if (!entries->entries)
		return config_out_of_memory(error);
	JSON_FOREACH(member, value)
	{
		if (json_is_annotation(member))
			continue;
		/* The entry is counted first, so that its strings are freed on failure. */
		r = parse_entry(member, config, match, &entries->entries[entries->n++], error);
		if (r < 0)
			return r;
	}
	qsort(entries->entries, entries->n, sizeof(*entries->entries), config_compare_keys);
	return check_unique(config, entries, error);
}

int config_parse_domains(const struct json_value *value, struct config *config,
                         struct json_error *error)
{
	static const char *const kinds[] = {
	        [CONFIG_MATCH_UUID] = "uuid",    [CONFIG_MATCH_VMID] = "vmid",
	        [CONFIG_MATCH_NAME] = "name",    [CONFIG_MATCH_TAG] = "tag",
	        [CONFIG_MATCH_TITLE] = "title",  [CONFIG_MATCH_GLOB] = "glob",
	        [CONFIG_MATCH_FLAVOR] = "flavor"};
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
