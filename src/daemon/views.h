/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* What reports and summaries are made of. They read it and change nothing. */

#include "boost/booster.h"
#include "boost/standing.h"
#include "config/config.h"
#include "daemon/agents.h"
#include "daemon/apply.h"
#include "daemon/avoid.h"
#include "daemon/carriers.h"
#include "daemon/clamp_budget.h"
#include "daemon/comparing.h"
#include "daemon/costs.h"
#include "daemon/discovery.h"
#include "daemon/followers.h"
#include "daemon/guard.h"
#include "daemon/helper_threads.h"
#include "daemon/hints.h"
#include "daemon/inventory.h"
#include "daemon/lifecycle.h"
#include "daemon/overrides.h"
#include "daemon/planning.h"
#include "daemon/policy_changes.h"
#include "daemon/reader_process.h"
#include "daemon/switches.h"
#include "trace/tracer.h"
#include "util/cgroup.h"

struct evaluations;

struct views {
	const struct config *config;
	const struct inventory *inventory;
	const struct planning *planning;
	const struct apply *apply;
	const struct policy_changes *changes;
	struct trials *trials; /* what one that runs has shown is computed when asked */
	const struct overrides *overrides;
	const struct state *state;
	const struct lifecycle *lifecycle;
	const struct carriers *carriers;
	const struct agents *agents;
	const struct helper_threads *helpers;
	const struct followers *followers;
	const struct standing *standing;
	const struct clamp_budget *clamps;
	struct avoid *avoid; /* a command changes what it says */
	const struct comparing *comparing;
	const struct costs *costs;
	struct evaluations *evaluations; /* made when they are asked for: evaluation.h */
	const struct switches *switches;
	const struct guard *guard;
	const struct reader_process *reader;
	const struct hints *hints;
	struct discovery *discovery; /* its sources are asked how they fare */
	struct booster *booster;     /* its thread is asked what it knows */
	const struct accounts *accounts;
	const struct tracer *tracer; /* NULL: tracer_why */
	const char *tracer_why;
	uint32_t sheet_permille;         /* what a CPU's sheet holds: cpu_caps.h */
	const struct cgroup_cpu *cgroup; /* NULL: cgroup_error */
	int cgroup_error;                /* why there is none: of cgroup_cpu_find() */
	uint64_t started_ns;
	unsigned int recovered; /* what an earlier run had left, given back at the start */
};
