/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Which vCPUs guests are told to avoid: those that a command names, or those that the governor
 * (policy/governor.h) finds in domains whose profile lets it. The word goes to a guest by its pages
 * or its agent, and ends with the daemon. It is a hint: nothing of the host changes.
 *
 * The governor looks at the tracer's accounts when the main thread is awake anyway, once a second
 * at most. While a domain waits for CPUs, or avoids vCPUs, a timer wakes it each second.
 */

#include <systemd/sd-event.h>

#include "boost/accounts.h"
#include "boost/booster.h"
#include "daemon/inventory.h"
#include "daemon/planning.h"
#include "policy/governor.h"
#include "util/base.h"

struct avoid;

/** All of it must stay. */
struct avoid_parts {
	sd_event *event;
	const struct inventory *inventory;
	const struct planning *planning;
	const struct accounts *accounts;
	struct booster *booster;
	const struct cgroup_cpu *cgroup; /* of weights; NULL: all weigh the same */
};

/** What decides for a domain. */
enum avoid_mode {
	AVOID_BY_PROFILE, /* its profile says whether the governor does */
	AVOID_AUTO,       /* the governor, by command */
	AVOID_NONE,       /* nothing is avoided, by command */
	AVOID_THESE,      /* those that a command named */
	_AVOID_MODE_MAX,
};

#define AVOID_WORDS (DOMAIN_VCPUS_MAX / 64)

struct avoid_view {
	enum avoid_mode mode;
	bool governed;                /* by the governor, as its profile or a command says */
	uint64_t vcpus[AVOID_WORDS];  /* that the guest is told to avoid; bit: index */
	uint32_t contention_permille; /* at the governor's last look */
	uint32_t entitled_permille;   /* of one CPU; likewise */
	uint32_t reversals_total;
};

/** Returns 0 and *ret, or -ENOMEM. */
int avoid_new(struct avoid **ret, const struct avoid_parts *parts);

/** Takes NULL; returns NULL. */
struct avoid *avoid_free(struct avoid *avoid);

/** After a pass: domains, vCPUs and profiles may have changed. */
void avoid_follow(struct avoid *avoid);

/**
 * By command, until the domain or the daemon ends. @vcpus, of AVOID_WORDS words, counts with
 * AVOID_THESE alone.
 */
void avoid_set(struct avoid *avoid, const struct inventory_domain *domain, enum avoid_mode mode,
               const uint64_t *vcpus);

void avoid_read(const struct avoid *avoid, const struct inventory_domain *domain,
                struct avoid_view *ret);

/** "profile", "auto", "none" or "these". */
const char *avoid_mode_name(enum avoid_mode mode);
