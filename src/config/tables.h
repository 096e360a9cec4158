/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Private to config/: what a configuration is made of. config/parse.c fills it, config/config.c
 * answers from it.
 */

#include "config/config.h"

/** The built-in profiles, the first ones of every configuration. */
#define CONFIG_BUILT_IN 4

/** Where a value stands. */
struct config_where {
	unsigned int file; /* place in config::files */
	unsigned int line; /* 0: nowhere, it is not given */
};

/** Where the figures of a profile or entry stand. */
struct config_figures {
	struct config_where share_permille;
	struct config_where burst;
};

/** One entry of domains.uuid, .name or .glob. */
struct config_entry {
	char *key;  /* canonical uuid, name, or glob */
	char *path; /* JSON path */
	struct config_where where;
	struct config_where profile_where; /* of its "profile" */
	struct config_figures figures;
	unsigned int literals;  /* of a glob */
	size_t base;            /* place of its profile in config::profiles */
	struct profile profile; /* with the entry's own figures applied */
};

/** Entries of one kind: uuids and names by strcmp(), globs the most specific first. */
struct config_entries {
	struct config_entry *entries;
	size_t n;
};

struct config {
	char **files; /* names, for messages; the main one first */
	size_t n_files;
	struct config_host host;
	struct profile *profiles;       /* the built-in ones first */
	struct config_figures *figures; /* of the profiles, by the same place */
	size_t n_profiles;
	size_t default_profile;                               /* place in profiles */
	struct config_where default_where;                    /* of "default_profile" */
	struct config_entries by_match[CONFIG_MATCH_DEFAULT]; /* indexed by enum config_match */
};

/** The built-in values of files so called, with room for @n_more profiles. NULL: memory is out. */
struct config *config_new(const struct config_text *files, size_t n_files, size_t n_more);

/** A profile of that name, or -1. */
long config_find_profile(const struct config *config, const char *name);

/** Order of the entries of a kind, for qsort() and bsearch(). */
int config_compare_keys(const void *a, const void *b);
