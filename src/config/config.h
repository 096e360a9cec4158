/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The configuration: /etc/pvschedd/pvschedd.json and its drop-ins. Each load parses all files into
 * a new struct, validates it, and hands it over only if it is valid. The old configuration stays in
 * force when the new one is refused.
 */

#include "model/domain.h"
#include "policy/profile.h"
#include "util/base.h"
#include "util/cpulist.h"

struct config;

/** How a domain's entry is selected; most specific first. */
enum config_match {
	CONFIG_MATCH_UUID,
	CONFIG_MATCH_NAME,
	CONFIG_MATCH_GLOB, /* the glob with the most literal characters; then the lesser string */
	CONFIG_MATCH_DEFAULT, /* no entry: default_profile */
};

/** How the policy in a domain's own <metadata> is treated; see struct domain_metadata. */
enum config_metadata {
	CONFIG_METADATA_IGNORE,
	CONFIG_METADATA_OBSERVE, /* shown, but has no effect */
	CONFIG_METADATA_HONOUR,
};

/** How guest pages are read. */
enum config_guest_pages {
	CONFIG_GUEST_PAGES_OFF,  /* not at all: carriers are not searched for either */
	CONFIG_GUEST_PAGES_POLL, /* only by the booster, at intervals while a vCPU is awake */
	CONFIG_GUEST_PAGES_AUTO, /* by the tracer when a vCPU leaves its CPU; else as POLL */
};

/** How the booster waits. */
enum config_booster_wait {
	CONFIG_BOOSTER_WAIT_AUTO, /* by the way that measured better */
	CONFIG_BOOSTER_WAIT_EPOLL,
	CONFIG_BOOSTER_WAIT_IO_URING, /* if available; else by epoll */
};

/** A list of short texts. */
#define CONFIG_TEXTS_MAX 16
#define CONFIG_TEXT_MAX  256

struct config_texts {
	size_t n;
	char items[CONFIG_TEXTS_MAX][CONFIG_TEXT_MAX];
};

/** Settings for all domains. */
struct config_host {
	bool enabled; /* the global switch: false observes only */
	struct host_caps caps;
	bool round_robin;     /* SCHED_RR instead of SCHED_FIFO */
	int rt_priority;      /* of boosted vCPUs: 1..10; the booster is one above */
	bool grant_rt_budget; /* boost cpu.rt_runtime_us where RT_GROUP_SCHED refuses RT */
	enum config_metadata metadata;
	enum config_guest_pages guest_pages;
	uint64_t summary_interval_ns;     /* per-domain summaries in the journal; 0: none */
	char housekeeping_cpus[256];      /* CPU list: a vCPU confined to it is not boosted */
	struct cpu_set_bits housekeeping; /* the same, parsed; empty: none */
	struct cpu_set_bits booster_cpus; /* where the booster runs; empty: anywhere */
	enum config_booster_wait booster_wait;
	size_t n_discovery;
	enum domain_source discovery[_DOMAIN_SOURCE_MAX]; /* the first to find a domain owns it */
	struct config_texts qemu_executables;             /* globs of absolute paths */
	struct config_texts qemu_users;                   /* names or numeric ids */
};

/** "FILE:LINE: JSON path", or a description if no file sets the value. */
#define CONFIG_SOURCE_MAX 512

/** Outcome of a look-up: the profile with the entry's own figures, and where each was set. */
struct config_choice {
	struct profile profile;
	enum config_match match;
	char source[CONFIG_SOURCE_MAX]; /* the selected entry, for `show` and messages */
	char profile_source[CONFIG_SOURCE_MAX];
	char share_source[CONFIG_SOURCE_MAX];
	char burst_source[CONFIG_SOURCE_MAX];
};

/** The text of one file. */
struct config_text {
	const char *name; /* for messages */
	const char *text;
	size_t size;
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
 * Chooses the profile of one domain: by uuid, then name, then glob, then default_profile. Exactly
 * one entry applies; entries are not merged. @uuid may be in upper or lower case. @uuid and @name
 * may be NULL if not known.
 */
void config_choose(const struct config *config, const char *uuid, const char *name,
                   struct config_choice *ret);

/** Finds a profile by its name. Returns NULL if there is none. */
const struct profile *config_profile(const struct config *config, const char *name);

/**
 * Replaces the profile of a choice by another one, with that profile's figures.
 * @source  what sets it, for `show` and messages
 * Returns false, with @choice unchanged, if there is no profile of that name.
 */
bool config_choose_profile(const struct config *config, const char *name, const char *source,
                           struct config_choice *choice);

/** Number of files that the configuration was read from. */
size_t config_n_files(const struct config *config);

#define CONFIG_FILE_MAX     (1024 * 1024)
#define CONFIG_TOTAL_MAX    (4 * 1024 * 1024)
#define CONFIG_DROP_INS_MAX 256
