/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Brings the standing levers of vCPU threads in line with the plan: slice and clamp. A boosted
 * thread cannot be given a slice, so a vCPU that the booster has is held for the moment. For
 * apply.c, which knows when.
 */

#include "boost/booster.h"
#include "boost/standing.h"
#include "daemon/inventory.h"
#include "util/base.h"

struct levers {
	struct booster *booster;
	struct standing *standing;
	bool said_clamps; /* that this host has clamps switched on now */
};

/** A vCPU that has a slot, and what it shall keep. */
struct levers_vcpu {
	const struct inventory_domain *domain;
	struct inventory_vcpu *vcpu;
	struct standing_wanted wanted;
	struct account_terms terms; /* as the booster has them; resets_forks is set here */
	bool is_held;               /* it is not boosted in any case */
};

/** Gives what is wanted to a thread that the booster does not have yet. */
void levers_begin(struct levers *levers, struct levers_vcpu *v);

/** The same for one that it has, where something else is wanted now. */
void levers_settle(struct levers *levers, struct levers_vcpu *v);

/** Tries again what could not be given, or was changed by another program since. */
void levers_again(struct levers *levers, struct levers_vcpu *v);

/** Takes all back, once the booster has let go of it. Returns 0; -errno: the record stays. */
int levers_end(struct levers *levers, unsigned int slot);
