/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The agent's configuration, /etc/pvsched-agent.json: see pvsched-agent.json(5). Strict: what is
 * not known is an error with its line and path. A missing file is no error: every key has a
 * default.
 */

#include <sys/types.h>

#include "pvsched/channel.h"
#include "util/base.h"
#include "util/json_error.h"

#define SETTINGS_FILE_MAX    (64 * 1024)
#define SETTINGS_USERS_MAX   64
#define SETTINGS_CLIENTS_MAX 64

/** What an application may do. */
struct settings_user {
	uid_t uid; /* (uid_t)-1: every other one ("*") */
	uint32_t connections_max;
	uint32_t rt_priority_max; /* a request with more counts as one with this */
	uint32_t urgent_permille; /* how much of its time a CPU may be urgent for this user */
	uint32_t looks_per_s;     /* messages beyond that are not served */
};

/** What decides which CPUs this machine is to avoid. */
enum settings_step_aside {
	SETTINGS_ASIDE_OFF,
	SETTINGS_ASIDE_HOST,  /* the host */
	SETTINGS_ASIDE_STEAL, /* steal time */
	SETTINGS_ASIDE_AUTO,  /* the host, and steal time where there is none */
};

struct settings {
	uint32_t port; /* of the host */
	uint32_t n_policies;
	struct pvsched_channel_policy policies[PVSCHED_CHANNEL_POLICIES_MAX]; /* the first is
	                                                                         preferred */
	bool tasks, interrupts;                                               /* sources of hints */
	enum settings_step_aside step_aside;
	uint32_t clients_max;
	uint32_t n_users;
	struct settings_user users[SETTINGS_USERS_MAX];
};

/** The defaults. */
void settings_init(struct settings *settings);

/** Parses a configuration into *ret. Returns 0; -EBADMSG or -ENOMEM with an error. */
int settings_parse(const char *text, size_t size, struct settings *ret, struct json_error *error);

/**
 * Reads the file, or takes the defaults if there is none and @must_exist is false.
 * Returns 0; -errno with a sentence in @why, which names the file.
 */
int settings_load(const char *path, bool must_exist, struct settings *ret, char *why,
                  size_t why_size);

/** What this user may do; NULL: nothing. */
const struct settings_user *settings_user(const struct settings *settings, uid_t uid);
