/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Private to config/: the structs of a configuration. config/parse.c fills them, config/config.c
 * looks them up.
 */

#include "config/settings.h"

/** Number of built-in profiles, which come first in config::profiles. */
#define CONFIG_BUILT_IN 6

/** Location of a value. */
struct config_where {
	unsigned int file; /* index in config::files */
	unsigned int line; /* 0: no file sets the value */
};

/** Locations of what a profile has, and an entry may have instead. */
struct config_figures {
	struct config_where share_permille;
	struct config_where burst;
	struct config_where policy;
};

/** Where a value that is no domain's is set. */
struct config_origin {
	char *path; /* JSON path */
	struct config_where where;
};

/** One entry of domains. */
struct config_entry {
	char *key;  /* canonical uuid, vmid, name, or glob */
	char *path; /* JSON path */
	struct config_where where;
	struct config_where profile_where; /* of its "profile" */
	struct config_figures figures;
	unsigned int literals;  /* of a glob: see glob_literals() */
	size_t base;            /* index of its profile in config::profiles */
	struct profile profile; /* with the entry's own figures applied */
};

/** Entries of one kind, sorted: globs by most specific first, others by strcmp(). */
struct config_entries {
	struct config_entry *entries;
	size_t n;
};

struct config {
	char **files; /* names, for messages; the main one first */
	size_t n_files;
	struct config_host host;
	struct profile *profiles;       /* the built-in ones first */
	struct config_figures *figures; /* of the profiles, by the same index */
	size_t n_profiles;
	struct config_origin *origins; /* sorted by path */
	size_t n_origins;
	size_t default_profile;                               /* index in profiles */
	struct config_where default_where;                    /* of "default_profile" */
	struct config_entries by_match[CONFIG_MATCH_DEFAULT]; /* indexed by enum config_match */
};

/**
 * Makes a configuration of built-in values, with the names of @files and room for @n_more profiles.
 * Returns NULL when out of memory.
 */
struct config *config_new(const struct config_text *files, size_t n_files, size_t n_more);

/** True if keys of that kind are globs. */
bool config_match_is_glob(enum config_match match);

/** Index of the profile of that name, or -1. */
long config_find_profile(const struct config *config, const char *name);

struct config_choice;

/** What one entry gives, with the source of each figure; NULL: the default. */
void config_choice_of(const struct config *config, enum config_match match,
                      const struct config_entry *entry, struct config_choice *ret);

/** Order of the entries of a kind, for qsort() and bsearch(). */
int config_compare_keys(const void *a, const void *b);
