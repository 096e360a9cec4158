/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A table of policies set by command, one for each domain: its profile, or which policy of the
 * registry boosts it, or both. Its key is the uuid, so that a policy stays while its domain is shut
 * off.
 */

#include "model/domain.h"
#include "policy/profile.h"
#include "policy/registry.h"
#include "util/base.h"

/** Four times as many as domains that run at a time. */
#define POLICIES_MAX 4096

struct policy_entry {
	char uuid[DOMAIN_UUID_LEN];      /* in any case of letters */
	char name[DOMAIN_NAME_MAX];      /* of its domain, as last known; "": not known */
	char profile[PROFILE_NAME_MAX];  /* "": none is set */
	char policy[REGISTRY_LABEL_MAX]; /* assigned, for any profile; "": none is */
	uint32_t share_permille;         /* in place of the profile's; 0: the profile's */
	uint64_t burst_ns;               /* likewise */
	/* of one that ends with the daemon, in us of CLOCK_BOOTTIME */
	uint64_t set_us, until_us; /* until 0: no end of its own */
	/* of one that persists, in seconds of the calendar; 0: not known */
	int64_t set_s, ran_s; /* ran: its domain was seen running */
};

struct policies {
	size_t n;
	struct policy_entry *entries; /* sorted by uuid */
};

void policies_finish(struct policies *policies);

/** NULL: there is none. It stays until one is put or removed. */
struct policy_entry *policies_find(const struct policies *policies, const char *uuid);

/**
 * The one whose domain has this name.
 * Returns 0 and *ret; -ENOENT; -ENOTUNIQ when the domains of several had it.
 */
int policies_find_name(const struct policies *policies, const char *name,
                       const struct policy_entry **ret);

/** Adds a copy, or replaces the one of that uuid. Returns 0, -ENOSPC, -ENOMEM. */
int policies_put(struct policies *policies, const struct policy_entry *entry);

/** Returns whether there was one. */
bool policies_remove(struct policies *policies, const char *uuid);

/**
 * Takes away the profile of one, with its figures and its end, or what is assigned. If nothing else
 * is left it is removed. Returns whether there was such a thing.
 */
bool policies_drop_profile(struct policies *policies, const char *uuid);
bool policies_drop_policy(struct policies *policies, const char *uuid);
