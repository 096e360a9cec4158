/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The configuration: /etc/pvschedd/pvschedd.json parsed anew into a fresh struct, validated whole,
 * and only then handed over. Whoever holds an old one keeps it when the new one is refused.
 */

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

/** What holds for all domains. */
struct config_host {
	bool enabled; /* the global switch: false observes only */
	struct host_caps caps;
	bool round_robin;             /* SCHED_RR instead of SCHED_FIFO */
	int rt_priority;              /* of boosted vCPUs: 1..10; the booster is one above */
	bool grant_rt_budget;         /* raise cpu.rt_runtime_us where RT_GROUP_SCHED refuses RT */
	uint64_t summary_interval_ns; /* per-domain summaries in the journal; 0: none */
	char housekeeping_cpus[256];  /* CPU list; no vCPU whose affinity is within it is boosted */
	struct cpu_set_bits housekeeping; /* the same, parsed; empty: none */
};

/** The outcome of a look-up: the profile with the entry's own figures applied. */
struct config_choice {
	struct profile profile;
	enum config_match match;
	char source[256]; /* "FILE:LINE: JSON path" of the deciding entry, for `show` and messages
	                   */
};

/**
 * Reads a configuration file.
 * @path   the file; at most CONFIG_FILE_MAX bytes, a regular file, not writable by others
 * @error  where a message for people goes ("FILE:LINE: JSON path: what is wrong; what to do"), at
 *         least 512 bytes; set on every failure
 * Returns 0 and *ret, which config_free() frees; -errno when it cannot be read (-EPERM: others may
 * write it; -EBUSY: it changed meanwhile; -EFBIG; -EINVAL: not a regular file); -EBADMSG when it is
 * not a valid configuration. *ret is changed on success only.
 */
int config_load(const char *path, struct config **ret, char *error, size_t error_size);

/** The same from memory; @name stands for the file in messages. For tests and the fuzz target. */
int config_parse(const char *name, const char *text, size_t size, struct config **ret, char *error,
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

#define CONFIG_FILE_MAX (1024 * 1024)
