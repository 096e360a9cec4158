/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The configuration: /etc/pvschedd/pvschedd.json and its drop-ins parsed anew into a fresh struct,
 * validated whole, and only then handed over. Whoever holds an old one keeps it when the new one is
 * refused.
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
	CONFIG_MATCH_GLOB, /* the glob with most literal characters wins, then the lesser string */
	CONFIG_MATCH_DEFAULT, /* no entry: default_profile */
};

/** What becomes of a domain's own <metadata>, see struct domain_metadata. */
enum config_metadata {
	CONFIG_METADATA_IGNORE,
	CONFIG_METADATA_OBSERVE, /* it is shown, and followed by nobody */
	CONFIG_METADATA_HONOUR,
};

/** How guest pages are read. */
enum config_guest_pages {
	CONFIG_GUEST_PAGES_OFF,  /* not at all: domains' carriers are not even looked for */
	CONFIG_GUEST_PAGES_POLL, /* by the booster alone, at intervals while a vCPU is awake */
	CONFIG_GUEST_PAGES_AUTO, /* by the tracer when a vCPU leaves its CPU, and where that fails,
	                            so */
};

/** How the booster waits. */
enum config_booster_wait {
	CONFIG_BOOSTER_WAIT_AUTO, /* by what was measured to be better */
	CONFIG_BOOSTER_WAIT_EPOLL,
	CONFIG_BOOSTER_WAIT_IO_URING, /* where it can be had */
};

/** A list of short texts. */
#define CONFIG_TEXTS_MAX 16
#define CONFIG_TEXT_MAX  256

struct config_texts {
	size_t n;
	char items[CONFIG_TEXTS_MAX][CONFIG_TEXT_MAX];
};

/** What holds for all domains. */
struct config_host {
	bool enabled; /* the global switch: false observes only */
	struct host_caps caps;
	bool round_robin;     /* SCHED_RR instead of SCHED_FIFO */
	int rt_priority;      /* of boosted vCPUs: 1..10; the booster is one above */
	bool grant_rt_budget; /* raise cpu.rt_runtime_us where RT_GROUP_SCHED refuses RT */
	enum config_metadata metadata;
	enum config_guest_pages guest_pages;
	uint64_t summary_interval_ns; /* per-domain summaries in the journal; 0: none */
	char housekeeping_cpus[256];  /* CPU list; no vCPU whose affinity is within it is boosted */
	struct cpu_set_bits housekeeping; /* the same, parsed; empty: none */
	struct cpu_set_bits booster_cpus; /* where the booster runs; empty: anywhere */
	enum config_booster_wait booster_wait;
	size_t n_discovery;
	enum domain_source discovery[_DOMAIN_SOURCE_MAX]; /* the first that has a domain owns it */
	struct config_texts qemu_executables;             /* globs of whole paths */
	struct config_texts qemu_users;                   /* names or numbers */
};

/** "FILE:LINE: JSON path", or words where no file says it. */
#define CONFIG_SOURCE_MAX 512

/** The outcome of a look-up: the profile with the entry's own figures applied, and who says so. */
struct config_choice {
	struct profile profile;
	enum config_match match;
	char source[CONFIG_SOURCE_MAX]; /* the deciding entry, for `show` and messages */
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
 * Reads a configuration: the file @path and its drop-ins, the files "pvschedd.d/<name>.json" in the
 * directory of @path, in the order of their names (strcmp()). Names that begin with a dot are
 * ignored. Each file is checked as it stands, and then all of them are merged by key, the later
 * ones going before. @path may be missing where there are drop-ins.
 * @path   of each file at most CONFIG_FILE_MAX bytes, of all together CONFIG_TOTAL_MAX; regular
 *         files, not writable by others; the directory, too, and it is root's or the caller's own
 * @error  where a message for people goes ("FILE:LINE: JSON path: what is wrong; what to do"), at
 *         least 512 bytes; set on every failure
 * Returns 0 and *ret, which config_free() frees; -errno when a file cannot be read (-ENOENT: there
 * is none at all; -EPERM: others may write it; -EBUSY: it changed meanwhile; -EFBIG; -E2BIG: too
 * many; -EINVAL: not a regular file); -EBADMSG when they are not a valid configuration. *ret is
 * changed on success only.
 */
int config_load(const char *path, struct config **ret, char *error, size_t error_size);

/** The same from memory: several files, @n >= 1, of which the later ones override the earlier. */
int config_parse_all(const struct config_text *files, size_t n, struct config **ret, char *error,
                     size_t error_size);

/** What holds with no file at all: everything observed, nothing boosted. NULL if memory is out. */
struct config *config_default(void);

/** Frees it; takes NULL; returns NULL. */
struct config *config_free(struct config *config);

/** For CLEANUP(). */
void config_cleanup(struct config **config);

const struct config_host *config_host(const struct config *config);

/**
 * The choice for one domain: by uuid, then name, then glob, then default_profile. One entry
 * decides; entries are not merged. @uuid in any case of letters; @uuid and @name may be NULL: not
 * known.
 */
void config_choose(const struct config *config, const char *uuid, const char *name,
                   struct config_choice *ret);

/** A profile by its name. Outcomes: NULL when there is none of that name. */
const struct profile *config_profile(const struct config *config, const char *name);

/**
 * Puts another profile into a choice, by its name, with the figures of the profile.
 * @source  who says so
 * Outcomes: false when there is none of that name; the choice stays.
 */
bool config_choose_profile(const struct config *config, const char *name, const char *source,
                           struct config_choice *choice);

/** Number of files it was made of. */
size_t config_n_files(const struct config *config);

#define CONFIG_FILE_MAX     (1024 * 1024)
#define CONFIG_TOTAL_MAX    (4 * 1024 * 1024)
#define CONFIG_DROP_INS_MAX 256
