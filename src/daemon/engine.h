/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Plan and apply, put together: one engine_run() makes the plan and does what differs. */

#include "config/config.h"
#include "daemon/apply.h"
#include "daemon/avoid.h"
#include "daemon/clamp_budget.h"
#include "daemon/comparing.h"
#include "daemon/costs.h"
#include "daemon/domains.h"
#include "daemon/evaluation.h"
#include "daemon/learning.h"
#include "daemon/latency_leases.h"
#include "daemon/pass.h"
#include "daemon/planning.h"
#include "daemon/policy_changes.h"
#include "daemon/trials.h"
#include "util/base.h"

struct engine {
	struct planning *planning;
	struct rt_grants *grants;
	struct helper_threads *helpers;
	struct followers *followers;
	struct standing *standing;
	struct clamp_budget *clamps;
	struct comparing *comparing;
	struct costs *costs;
	struct apply *apply;
	struct trials *trials;
	struct policy_changes *changes;
	struct learned_domains *learned;
	struct evaluations *evaluations;
	struct latency_leases *leases;
	struct avoid *avoid;
	/* private */
	struct learning *learning;
	struct domains *domains;
	struct state *state;
	struct tracer *tracer; /* NULL: there is none */
	const struct accounts *accounts;
	const struct config *config;
};

/** What it works on; all of it must stay. */
struct engine_parts {
	sd_event *event;
	struct pass *pass;
	struct domains *domains;
	struct state *state;
	struct booster *booster;
	struct ledger *ledger;
	struct tracer *tracer; /* NULL: there is none */
	const struct accounts *accounts;
	const struct cgroup_cpu *cgroup; /* NULL: there is none */
	uint32_t priority;               /* of boosts */
	uint32_t holds;                  /* of every vCPU, that the booster was started with */
	uint32_t sheet_permille;         /* see planning_inputs */
	const struct views *views;       /* made of the engine, before its first run */
};

/** Returns 0 and *ret, or -ENOMEM. */
int engine_new(struct engine **ret, const struct engine_parts *parts);

/** Takes NULL; returns NULL. */
struct engine *engine_free(struct engine *engine);

/** The configuration, which must stay until the next call. */
void engine_configure(struct engine *engine, const struct config *config);

/**
 * One pass. The holds of the whole host begin in any case, also when memory is out. Returns 0; or
 * -ENOMEM, with the rest as it was.
 */
int engine_run(struct engine *engine, const struct plan_switches *switches);
