/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The helpers that follow their vCPUs, where a profile says so: iothreads and vhost workers that
 * are watched (helper_threads.h). Each has a slot of vCPUs, in which it is charged, boosted and
 * given back as a vCPU is. QEMU's first thread is none: it holds QEMU's lock for as long as a job
 * takes. vCPUs have the slots first.
 */

#include "boost/booster.h"
#include "daemon/helper_threads.h"
#include "daemon/inventory.h"
#include "daemon/rt_grants.h"
#include "policy/plan.h"
#include "trace/tracer.h"
#include "util/base.h"

struct followers;

/** What they work on; all of it must stay. */
struct followers_parts {
	struct booster *booster;
	struct tracer *tracer; /* NULL, or without the part that sees helpers: none follows */
	struct helper_threads *helpers;
	struct rt_grants *grants;
	const struct cgroup_cpu *cgroup; /* NULL: there is none */
	uint32_t priority;               /* of boosts */
	bool sees_helpers;               /* the tracer does */
};

/** NULL when memory is out. */
struct followers *followers_new(const struct followers_parts *parts);

/** Ends nothing: booster_stop() does. Takes NULL; returns NULL. */
struct followers *followers_free(struct followers *followers);

/**
 * Ends those that are gone or that the plan does not want, and those whose slots vCPUs want: each
 * is unboosted, then not traced, then its RT budget withdrawn. Holds begin. @slots: those in use.
 */
void followers_end(struct followers *followers, const struct inventory *inventory,
                   const struct plan *plan, uint64_t *slots);

/** Has helpers watched as the plan wants, then begins those that shall follow. Holds end. */
void followers_apply(struct followers *followers, const struct inventory *inventory,
                     const struct plan *plan, uint64_t *slots);

/** Handles a note about a slot. Returns the domain to look at again; NULL: there is none. */
struct inventory_domain *followers_note(struct followers *followers,
                                        const struct booster_note *note,
                                        const struct inventory *inventory,
                                        const struct ledger *ledger);

/** The slot of a helper that follows; SLOT_NONE: it does not. */
unsigned int followers_slot(const struct followers *followers,
                            const struct inventory_domain *domain, const struct thread_id *id);
