/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Makes the plan: fills its input from configuration, inventory and commands, and keeps the last
 * result for reports.
 */

#include "config/config.h"
#include "daemon/agent_pages.h"
#include "daemon/carriers.h"
#include "daemon/clamp_budget.h"
#include "daemon/inventory.h"
#include "daemon/learned_domains.h"
#include "daemon/lifecycle.h"
#include "daemon/overrides.h"
#include "daemon/state.h"
#include "daemon/trials.h"
#include "policy/plan.h"
#include "util/base.h"

struct planning;

/** What a plan is made of; all of it must stay. */
struct planning_inputs {
	const struct inventory *inventory;
	const struct overrides *overrides;
	const struct trials *trials;
	const struct lifecycle *lifecycle;
	const struct carriers *carriers;
	const struct agent_pages *agent_pages;
	const struct state *state;
	const struct clamp_budget *clamps;
	const struct learned_domains *learned;
	uint32_t sheet_permille; /* no more of a CPU may be promised: cpu_caps.h */
	bool has_cgroup;         /* there is a hierarchy of the cpu controller */
};

/** Returns 0 and *ret, or -ENOMEM. */
int planning_new(struct planning **ret, const struct planning_inputs *inputs);

/** Takes NULL; returns NULL. */
struct planning *planning_free(struct planning *planning);

/** Another configuration, which must stay until the next call. */
void planning_configure(struct planning *planning, const struct config *config);

/**
 * Makes the plan anew; *ret stays until the next call. Says in the journal, once for each
 * domain, that its metadata is not valid. Returns 0, or -ENOMEM: the last plan holds, and *ret is
 * as it was.
 */
int planning_make(struct planning *planning, const struct plan_switches *switches,
                  const struct plan **ret);

/** A profile that a command would set for a domain; both NULL: none. */
struct planning_wish {
	const struct inventory_domain *domain;
	const struct profile *profile;
};

/**
 * What the plan would be with a wish. Nothing is kept. *ret, whose arrays have the inventory's
 * order, is planning_try_cleanup()'s. Returns 0, or -ENOMEM.
 */
int planning_try(const struct planning *planning, const struct plan_switches *switches,
                 const struct planning_wish *wish, struct plan *ret);

/** For CLEANUP(). */
void planning_try_cleanup(struct plan *plan);

/** What the last plan says of a domain; of one that it does not know yet: nothing is done. */
const struct plan_domain *planning_domain(const struct planning *planning,
                                          const struct inventory_domain *domain);

/** What is learned of it, if its profile does that. */
const struct learned *planning_learned(const struct planning *planning,
                                       const struct inventory_domain *domain);

/** What the last plan says, with the source of each figure. */
void planning_choice(const struct planning *planning, const struct inventory_domain *domain,
                     struct config_choice *ret);

/** Why its metadata is not valid; "": it is, or counts for nothing anyway. */
const char *planning_metadata_error(const struct planning *planning,
                                    const struct inventory_domain *domain);
