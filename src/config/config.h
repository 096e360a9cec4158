/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The configuration: /etc/pvschedd/pvschedd.json and its drop-ins. Each load parses all files into
 * a new struct, validates it, and hands it over only if it is valid. The old configuration stays in
 * force when the new one is refused.
 */

#include "config/settings.h"
#include "policy/profile.h"
#include "util/base.h"

struct config;

/** "FILE:LINE: JSON path", or a description if no file sets the value. */
#define CONFIG_SOURCE_MAX 512

/** By what a domain is looked up. Each may be NULL if it is not known. */
struct config_subject {
	const char *uuid; /* in upper or lower case */
	const char *name;
	const struct domain_labels *labels;
};

/** Outcome of a look-up: the profile with the entry's own figures, and where each was set. */
struct config_choice {
	struct profile profile;
	enum config_match match;
	char source[CONFIG_SOURCE_MAX]; /* the selected entry, for `show` and messages */
	char profile_source[CONFIG_SOURCE_MAX];
	char share_source[CONFIG_SOURCE_MAX];
	char burst_source[CONFIG_SOURCE_MAX];
	char policy_source[CONFIG_SOURCE_MAX];
};

/**
 * Reads a configuration: the file @path, then its drop-ins. Drop-ins are the files
 * "pvschedd.d/<name>.json" in the directory of @path, sorted by name with strcmp(). Names that
 * begin with a dot are ignored. Each file is checked on its own. Then all are merged by key, and
 * later files override earlier ones. @path may be missing if there are drop-ins.
 *
 * Each file must be a regular file of at most CONFIG_FILE_MAX bytes, all together CONFIG_TOTAL_MAX.
 * Files and directory must not be world-writable. The directory must belong to root or the caller.
 *
 * @error  gets a message on every failure, "FILE:LINE: JSON path: what is wrong; what to do"; at
 *         least 512 bytes
 * Returns 0 and *ret, which config_free() frees. -EBADMSG: the configuration is invalid. Other
 * -errno: a file cannot be read (-ENOENT: there is none at all; -EPERM: other users can write it;
 * -EBUSY: it changed during the read; -EFBIG; -E2BIG: too many; -EINVAL: not a regular file). *ret
 * changes only on success.
 */
int config_load(const char *path, struct config **ret, char *error, size_t error_size);

/** Parses @n >= 1 texts from memory; later files override earlier ones. */
int config_parse_all(const struct config_text *files, size_t n, struct config **ret, char *error,
                     size_t error_size);

/** The configuration without any file: observes all, boosts nothing. NULL when out of memory. */
struct config *config_default(void);

/** Frees it; takes NULL; returns NULL. */
struct config *config_free(struct config *config);

/** For CLEANUP(). */
void config_cleanup(struct config **config);

const struct config_host *config_host(const struct config *config);

/**
 * Chooses the profile of one domain, in the order of enum config_match. Exactly one entry applies;
 * entries are not merged.
 */
void config_choose(const struct config *config, const struct config_subject *subject,
                   struct config_choice *ret);

/** Finds a profile by its name. Returns NULL if there is none. */
const struct profile *config_profile(const struct config *config, const char *name);

/** Writes the names of all profiles, "off, observe, ...", cut at @size. */
void config_list_profiles(const struct config *config, char *text, size_t size);

/**
 * Replaces the profile of a choice by another one, with that profile's figures.
 * @source  what sets it, for `show` and messages
 * Returns false, with @choice unchanged, if there is no profile of that name.
 */
bool config_choose_profile(const struct config *config, const char *name, const char *source,
                           struct config_choice *choice);

/** Number of files that the configuration was read from. */
size_t config_n_files(const struct config *config);

/** The name of the file @i, in the order in which later files override earlier ones. */
const char *config_file(const struct config *config, size_t i);

#define CONFIG_FILE_MAX     (1024 * 1024)
#define CONFIG_TOTAL_MAX    (4 * 1024 * 1024)
#define CONFIG_DROP_INS_MAX 256
