/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config/config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/match.h"
#include "config/tables.h"

#define SUMMARY_INTERVAL_DEFAULT_NS (300 * NSEC_PER_SEC)
#define METRICS_INTERVAL_DEFAULT_NS (15 * NSEC_PER_SEC) /* Prometheus scrapes about as often */

/* --- The struct --- */

static bool copy_names(struct config *config, const struct config_text *files, size_t n)
{
	config->files = calloc(n, sizeof(*config->files));
	if (!config->files)
		return false;
	for (; config->n_files < n; config->n_files++) {
		config->files[config->n_files] = strdup(files[config->n_files].name);
		if (!config->files[config->n_files])
			return false;
	}
	return true;
}

struct config *config_new(const struct config_text *files, size_t n_files, size_t n_more)
{
	const struct profile built_in[CONFIG_BUILT_IN] = {
	        PROFILE_OFF_INIT,     PROFILE_OBSERVE_INIT, PROFILE_INTERACTIVE_INIT,
	        PROFILE_LATENCY_INIT, PROFILE_AUTO_INIT,    PROFILE_THROUGHPUT_INIT,
	};
	struct config *config CLEANUP(config_cleanup) = calloc(1, sizeof(*config));

	if (!config || !copy_names(config, files, n_files))
		return NULL;
	config->profiles = calloc(ARRAY_SIZE(built_in) + n_more, sizeof(*config->profiles));
	config->figures = calloc(ARRAY_SIZE(built_in) + n_more, sizeof(*config->figures));
	if (!config->profiles || !config->figures)
		return NULL;
	memcpy(config->profiles, built_in, sizeof(built_in));
	config->n_profiles = ARRAY_SIZE(built_in);
	config->default_profile = (size_t)config_find_profile(config, "observe");
	config->host = (struct config_host){
	        .n_discovery = 1,
	        .discovery = {DOMAIN_SOURCE_LIBVIRT},
	        .qemu_executables = {.n = 5,
	                             .items = {"/usr/bin/qemu-system-*", "/usr/bin/kvm",
	                                       "/usr/bin/qemu-kvm", "/usr/libexec/qemu-kvm",
	                                       "/usr/local/bin/qemu-system-*"}},
	        .qemu_users = {.n = 3, .items = {"root", "libvirt-qemu", "qemu"}},
	        .enabled = true,
	        .caps = HOST_CAPS_INIT,
	        .rt_priority = 1,
	        .metadata = CONFIG_METADATA_HONOUR,
	        .guest_pages = CONFIG_GUEST_PAGES_AUTO,
	        .agents = CONFIG_AGENTS_AUTO,
	        .compare = CONFIG_COMPARE_OFF,
	        .metrics_interval_ns = METRICS_INTERVAL_DEFAULT_NS,
	        .summary_interval_ns = SUMMARY_INTERVAL_DEFAULT_NS,
	};
	return STEAL(config, NULL);
}

struct config *config_default(void)
{
	const struct config_text none = {.name = "built-in configuration"};

	return config_new(&none, 1, 0);
}

static void entries_free(struct config_entries *entries)
{
	for (size_t i = 0; i < entries->n; i++) {
		free(entries->entries[i].key);
		free(entries->entries[i].path);
	}
	free(entries->entries);
}

struct config *config_free(struct config *config)
{
	if (!config)
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(config->by_match); i++)
		entries_free(&config->by_match[i]);
	for (size_t i = 0; i < config->n_origins; i++)
		free(config->origins[i].path);
	free(config->origins);
	for (size_t i = 0; i < config->n_files; i++)
		free(config->files[i]);
	free(config->files);
	free(config->profiles);
	free(config->figures);
	free(config);
	return NULL;
}

void config_cleanup(struct config **config)
{
	config_free(*config);
}

/* --- Look-ups --- */

const struct config_host *config_host(const struct config *config)
{
	return &config->host;
}

long config_find_profile(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->n_profiles; i++)
		if (strcmp(config->profiles[i].name, name) == 0)
			return (long)i;
	return -1;
}

const struct profile *config_profile(const struct config *config, const char *name)
{
	long i = config_find_profile(config, name);

	return i < 0 ? NULL : &config->profiles[i];
}

void config_list_profiles(const struct config *config, char *text, size_t size)
{
	size_t length = 0;

	for (size_t p = 0; p < config->n_profiles && length < size; p++)
		length += (size_t)snprintf(text + length, size - length, "%s%s", p ? ", " : "",
		                           config->profiles[p].name);
}

int config_compare_keys(const void *a, const void *b)
{
	const struct config_entry *x = a, *y = b;

	if (x->literals != y->literals)
		return x->literals > y->literals ? -1 : 1;
	return strcmp(x->key, y->key);
}

static const struct config_entry *find_key(const struct config_entries *entries, const char *key)
{
	const struct config_entry wanted = {.key = (char *)key};

	if (entries->n == 0)
		return NULL;
	return bsearch(&wanted, entries->entries, entries->n, sizeof(wanted), config_compare_keys);
}

static const struct config_entry *find_glob(const struct config_entries *entries,
                                            const char *const *texts, size_t n_texts)
{
	for (size_t i = 0; i < entries->n; i++)
		for (size_t j = 0; j < n_texts; j++)
			if (glob_match(entries->entries[i].key, texts[j]))
				return &entries->entries[i];
	return NULL;
}

/* The texts of a domain that entries of one kind are compared with. */
struct texts {
	size_t n;
	const char *items[LABEL_TAGS_MAX];
	char vmid[LABEL_VMID_DIGITS_MAX + 2];
};

static void add_text(struct texts *texts, const char *text)
{
	if (text && text[0])
		texts->items[texts->n++] = text;
}

static void texts_of(const struct config_subject *subject, enum config_match match,
                     struct texts *ret)
{
	static const struct domain_labels none;
	const struct domain_labels *labels = subject->labels ?: &none;

	ret->n = 0;
	switch (match) {
	case CONFIG_MATCH_UUID:
		add_text(ret, subject->uuid);
		break;
	case CONFIG_MATCH_VMID:
		snprintf(ret->vmid, sizeof(ret->vmid), "%" PRIu32, labels->vmid);
		add_text(ret, labels->vmid ? ret->vmid : NULL);
		break;
	case CONFIG_MATCH_NAME:
	case CONFIG_MATCH_GLOB:
		add_text(ret, subject->name);
		add_text(ret, labels_name(labels));
		break;
	case CONFIG_MATCH_TAG:
		for (uint32_t i = 0; i < labels->n_tags; i++)
			add_text(ret, labels->tags[i]);
		break;
	case CONFIG_MATCH_TITLE:
		add_text(ret, labels->title);
		break;
	case CONFIG_MATCH_FLAVOR:
		add_text(ret, labels->flavor);
		break;
	case CONFIG_MATCH_DEFAULT:
		break;
	}
}

bool config_match_is_glob(enum config_match match)
{
	return match == CONFIG_MATCH_TAG || match == CONFIG_MATCH_TITLE ||
	       match == CONFIG_MATCH_GLOB || match == CONFIG_MATCH_FLAVOR;
}

static const struct config_entry *find_of_kind(const struct config *config,
                                               const struct config_subject *subject,
                                               enum config_match match)
{
	const struct config_entries *entries = &config->by_match[match];
	const struct config_entry *entry = NULL;
	char canonical[DOMAIN_UUID_LEN];
	struct texts texts;

	texts_of(subject, match, &texts);
	if (config_match_is_glob(match))
		return find_glob(entries, texts.items, texts.n);
	for (size_t i = 0; i < texts.n && !entry; i++) {
		const char *key = texts.items[i];

		if (match == CONFIG_MATCH_UUID)
			key = uuid_canonical(key, canonical) ? canonical : "";
		entry = find_key(entries, key);
	}
	return entry;
}

static const struct config_entry *find_entry(const struct config *config,
                                             const struct config_subject *subject,
                                             enum config_match *match)
{
	const struct config_entry *entry = NULL;

	for (*match = 0; *match < CONFIG_MATCH_DEFAULT; ++*match) {
		entry = find_of_kind(config, subject, *match);
		if (entry)
			break;
	}
	return entry;
}

size_t config_n_files(const struct config *config)
{
	return config->n_files;
}

const char *config_file(const struct config *config, size_t i)
{
	return config->files[i];
}

/* --- Sources of values --- */

/* "FILE:LINE: PATH.KEY"; @key NULL for the path alone. */
static void say_where(const struct config *config, const struct config_where *where,
                      const char *path, const char *key, char text[CONFIG_SOURCE_MAX])
{
	snprintf(text, CONFIG_SOURCE_MAX, "%s:%u: %s%s%s", config->files[where->file], where->line,
	         path, key ? "." : "", key ? key : "");
}

/* The source of a profile's figure. A new profile starts with the figures of "observe". */
static void say_figure(const struct config *config, size_t profile,
                       const struct config_where *where, const char *key,
                       char text[CONFIG_SOURCE_MAX])
{
	char path[sizeof(".profiles.") + PROFILE_NAME_MAX];

	snprintf(path, sizeof(path), ".profiles.%s", config->profiles[profile].name);
	if (where->line > 0)
		say_where(config, where, path, key, text);
	else
		snprintf(text, CONFIG_SOURCE_MAX, "built in: profile %s",
		         profile < CONFIG_BUILT_IN ? config->profiles[profile].name : "observe");
}

static void say_figures(const struct config *config, size_t profile, struct config_choice *choice)
{
	const struct config_figures *figures = &config->figures[profile];
	bool learns = config->profiles[profile].mode == PROFILE_AUTO;

	say_figure(config, profile, &figures->share_permille, "share_permille",
	           choice->share_source);
	say_figure(config, profile, &figures->burst, learns ? "burst_max_us" : "burst_us",
	           choice->burst_source);
	say_figure(config, profile, &figures->policy, "policy", choice->policy_source);
}

static void say_default(const struct config *config, char text[CONFIG_SOURCE_MAX])
{
	if (config->default_where.line > 0)
		say_where(config, &config->default_where, ".default_profile", NULL, text);
	else
		snprintf(text, CONFIG_SOURCE_MAX, "%s: no entry, built-in default",
		         config->files[0]);
}

static void choose_entry(const struct config *config, const struct config_entry *entry,
                         struct config_choice *ret)
{
	ret->profile = entry->profile;
	say_where(config, &entry->where, entry->path, NULL, ret->source);
	if (entry->profile_where.line > 0)
		say_where(config, &entry->profile_where, entry->path, "profile",
		          ret->profile_source);
	else
		say_default(config, ret->profile_source);
	say_figures(config, entry->base, ret);
	if (entry->figures.share_permille.line > 0)
		say_where(config, &entry->figures.share_permille, entry->path, "share_permille",
		          ret->share_source);
	if (entry->figures.burst.line > 0)
		say_where(config, &entry->figures.burst, entry->path, "burst_us",
		          ret->burst_source);
	if (entry->figures.policy.line > 0)
		say_where(config, &entry->figures.policy, entry->path, "policy",
		          ret->policy_source);
}

/* --- The choice --- */

void config_choice_of(const struct config *config, enum config_match match,
                      const struct config_entry *entry, struct config_choice *ret)
{
	*ret = (struct config_choice){.match = entry ? match : CONFIG_MATCH_DEFAULT};
	if (entry) {
		choose_entry(config, entry, ret);
		return;
	}
	ret->profile = config->profiles[config->default_profile];
	say_default(config, ret->source);
	say_default(config, ret->profile_source);
	say_figures(config, config->default_profile, ret);
}

void config_choose(const struct config *config, const struct config_subject *subject,
                   struct config_choice *ret)
{
	enum config_match match;
	const struct config_entry *entry = find_entry(config, subject, &match);

	config_choice_of(config, match, entry, ret);
}

bool config_choose_profile(const struct config *config, const char *name, const char *source,
                           struct config_choice *choice)
{
	long profile = config_find_profile(config, name);

	if (profile < 0)
		return false;
	choice->profile = config->profiles[profile];
	snprintf(choice->source, sizeof(choice->source), "%s", source);
	snprintf(choice->profile_source, sizeof(choice->profile_source), "%s", source);
	say_figures(config, (size_t)profile, choice);
	return true;
}
