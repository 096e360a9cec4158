/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Brings the host in line with the plan. This is the only file that knows in which order that is
 * safe: see apply_run(). It compares the plan with what it did before, and does what differs.
 */

#include "boost/accounts.h"
#include "boost/booster.h"
#include "boost/standing.h"
#include "daemon/followers.h"
#include "daemon/helper_threads.h"
#include "daemon/inventory.h"
#include "daemon/rt_grants.h"
#include "guest/page.h"
#include "policy/plan.h"
#include "trace/tracer.h"
#include "util/base.h"

struct apply;

/** What it works on; all of it must stay. */
struct apply_parts {
	struct booster *booster;
	struct tracer *tracer; /* NULL: there is none */
	const struct accounts *accounts;
	struct rt_grants *grants;
	struct standing *standing;
	struct helper_threads *helpers;
	struct followers *followers;
	uint32_t priority; /* of boosts */
	uint32_t holds;    /* of every vCPU, that the booster was started with */
	/** The guest page of the vCPU @index. */
	struct guest_page (*page)(void *userdata, const struct inventory_domain *domain,
	                          unsigned int index);
	void *userdata;
};

/** What is to be brought about. */
struct apply_wanted {
	struct inventory *inventory;
	const struct plan *plan; /* a result for each domain and vCPU, in the inventory's order */
	bool polls_pages;        /* the tracer is not to read guest pages */
};

/** Returns 0 and *ret, or -ENOMEM. */
int apply_new(struct apply **ret, const struct apply_parts *parts);

/** Changes nothing on the host. Takes NULL; returns NULL. */
struct apply *apply_free(struct apply *apply);

/** Begins holds of every vCPU; needs no memory. They end by a plan that does not have them. */
void apply_hold(struct apply *apply, uint32_t holds);

/**
 * Does what the plan wants and is not done yet. Logs what the kernel refuses, and goes on. Sets
 * inventory_vcpu::slot and untraced, clears inventory_domain::rescan. Returns 0; or -ENOMEM, with
 * all as it was.
 */
int apply_run(struct apply *apply, const struct apply_wanted *wanted);

/** The holds of every vCPU that are in force. */
uint32_t apply_holds(const struct apply *apply);

/** The profile that the vCPU of a slot has; NULL: the slot has none. */
const struct profile *apply_profile(const struct apply *apply, unsigned int slot);
