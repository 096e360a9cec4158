/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Trials: a domain is boosted and not boosted in turn, and what it gains and others lose is
 * measured. They run here and end by themselves, whatever becomes of the client that began one. A
 * trial lives in memory alone, and changes no policy that is set: it is one more policy, above all
 * others, which is gone with the trial or with the daemon.
 */

#include <systemd/sd-event.h>

#include "boost/booster.h"
#include "config/config.h"
#include "daemon/inventory.h"
#include "daemon/pass.h"
#include "daemon/policies.h"
#include "policy/trial_course.h"
#include "util/base.h"

#define TRIALS_RUNNING_MAX 4  /* at once, of as many domains: about 250 KiB each */
#define TRIALS_MAX         16 /* that are remembered; the oldest makes room */

struct trials;

/** All of it must stay. */
struct trials_parts {
	sd_event *event;
	struct pass *pass;
	const struct inventory *inventory;
	const struct accounts *accounts;
	struct booster *booster;
	bool traced; /* there is a tracer */
};

/** Returns 0 and *ret, or -ENOMEM. */
int trials_new(struct trials **ret, const struct trials_parts *parts);

/** Ends all of them; threads as in trials_follow(). Takes NULL; returns NULL. */
struct trials *trials_free(struct trials *trials);

/** The configuration, which must stay until the next call. */
void trials_configure(struct trials *trials, const struct config *config);

struct trial_wish {
	struct policy_entry policy; /* in windows that boost: uuid, name, profile, figures count */
	uint64_t all_ns, min_ns, max_ns; /* of the trial, and of its windows */
	uint64_t seed;
};

/**
 * Begins a trial of a domain. Returns 0; -EBUSY: one of it runs; -ENOSPC: TRIALS_RUNNING_MAX run;
 * -EOPNOTSUPP: there is no tracer; -EINVAL: there is no such profile; -errno.
 */
int trials_start(struct trials *trials, const struct inventory_domain *domain,
                 const struct trial_wish *wish);

/**
 * Ends the trial of a domain, or all (@uuid NULL). It is the caller's to make a pass. Returns
 * whether one ran.
 */
bool trials_cancel(struct trials *trials, const char *uuid, enum trial_end end);

/**
 * Called by each pass before the plan is made: ends trials whose domain or profile is gone, or that
 * @holds of the whole host forbid.
 */
void trials_follow(struct trials *trials, uint32_t holds);

/** The policy of a domain that is tried now; NULL: none is. */
const struct policy_entry *trials_policy(const struct trials *trials,
                                         const struct inventory_domain *domain);

/** What happened without and with boosts, in all windows that count. */
struct trial_totals {
	uint64_t length_ns, boosts, denied, preemptions;
};

struct trial_view {
	const struct policy_entry *policy;
	uint64_t seed, all_ns, over_ns;
	enum trial_end end;
	enum policy_reason held; /* with TRIAL_END_HELD */
	struct trial_step step;  /* of one that runs: the window... */
	uint64_t step_left_ns;   /* ...and what is left of it */
	uint32_t dropped;
	struct trial_verdict verdict;
	uint64_t waits[2][PVS_WAIT_BUCKETS];
	struct trial_totals totals[2];
	unsigned int probes; /* threads that probe */
};

/**
 * The trial of a domain, by its uuid, else by its name: the one that runs, or the last one.
 * Returns 0 and *ret; -ENOENT; -ENOTUNIQ: those of several domains have that name.
 */
int trials_read(struct trials *trials, const char *name_or_uuid, struct trial_view *ret);
