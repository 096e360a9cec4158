/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Private to config/: what a configuration is made of. config/parse.c fills it, config/config.c
 * answers from it.
 */

#include "config/config.h"

/** One entry of domains.uuid, .name or .glob. */
struct config_entry {
	char *key;  /* canonical uuid, name, or glob */
	char *path; /* JSON path */
	unsigned int line;
	unsigned int literals;  /* of a glob */
	struct profile profile; /* with the entry's own figures applied */
};

/** Entries of one kind: uuids and names by strcmp(), globs the most specific first. */
struct config_entries {
	struct config_entry *entries;
	size_t n;
};

struct config {
	char *name; /* of the file, for messages */
	struct config_host host;
	struct profile *profiles; /* the built-in ones first */
	size_t n_profiles;
	size_t default_profile;    /* place in profiles */
	unsigned int default_line; /* of "default_profile"; 0: not given */
	struct config_entries by_match[CONFIG_MATCH_DEFAULT]; /* indexed by enum config_match */
};

/** The built-in values, with room for @n_more profiles. NULL if memory is out. */
struct config *config_new(const char *name, size_t n_more);

/** A profile of that name, or -1. */
long config_find_profile(const struct config *config, const char *name);

/** Order of the entries of a kind, for qsort() and bsearch(). */
int config_compare_keys(const void *a, const void *b);
