/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * For how long vCPUs run with a clamp. A clamp takes no CPU time from others; its price is energy,
 * so the time that a vCPU runs clamped has a bucket of its own: CLAMP_BUDGET_BURST_NS at once, and
 * a share of one CPU's time in the long run. A vCPU whose bucket is empty has no clamp until it is
 * full again.
 *
 * Run time is read from the tracer's accounts when a bucket could be empty by then. For a vCPU that
 * runs less than its share that is every ten seconds or more; for one that runs at its share, each
 * second. Without a clamp there is no timer.
 */

#include <systemd/sd-event.h>

#include "boost/accounts.h"
#include "util/base.h"

struct clamp_budget;

#define CLAMP_BUDGET_BURST_NS (10 * NSEC_PER_SEC)

/** A vCPU's bucket became empty or full again. */
typedef void clamp_budget_changed_fn(void *userdata);

/** Returns 0 and *ret, or -ENOMEM. @event NULL: no timer, the caller looks. */
int clamp_budget_new(struct clamp_budget **ret, sd_event *event, const struct accounts *accounts,
                     clamp_budget_changed_fn *changed, void *userdata);

/** Takes NULL; returns NULL. */
struct clamp_budget *clamp_budget_free(struct clamp_budget *budget);

/**
 * The vCPU of a slot, thread @tid, shall have a clamp for @permille of one CPU's time; 0: it shall
 * have none, and its bucket is forgotten, as it is with another thread.
 */
void clamp_budget_follow(struct clamp_budget *budget, unsigned int slot, pid_t tid,
                         uint32_t permille, uint64_t now_ns);

/** The thread of a slot has its clamp now, or not: its run time is charged, or not. */
void clamp_budget_clamped(struct clamp_budget *budget, unsigned int slot, bool clamped,
                          uint64_t now_ns);

/** Charges what ran. Returns when to look again; NSEC_NEVER: not before something is followed. */
uint64_t clamp_budget_look(struct clamp_budget *budget, uint64_t now_ns);

/** Looks, and sets the timer for the next look. */
void clamp_budget_settle(struct clamp_budget *budget, uint64_t now_ns);

/** Is the bucket of a slot empty, and not full again yet? */
bool clamp_budget_spent(const struct clamp_budget *budget, unsigned int slot);

/** For how long its thread has run clamped, in total. */
uint64_t clamp_budget_used_ns(const struct clamp_budget *budget, unsigned int slot,
                              uint64_t now_ns);
