/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Compares, on each set of CPUs, how long vCPUs wait with boosts and without, and lets alone those
 * that boosts do harm to: policy/harm.h decides. Here are its timer and its counters. It has no
 * timer while no vCPU waits late: then the booster's note wakes it. At first it is off.
 */

#include <systemd/sd-event.h>

#include "boost/booster.h"
#include "daemon/inventory.h"
#include "policy/harm.h"
#include "policy/plan.h"
#include "util/base.h"

struct comparing;

/** Returns 0 and *ret, or -ENOMEM. Both accounts and booster must stay. */
int comparing_new(struct comparing **ret, sd_event *event, const struct accounts *accounts,
                  struct booster *booster);

/** Takes NULL; returns NULL. */
struct comparing *comparing_free(struct comparing *comparing);

/**
 * Off: what it held is boosted again at once, and none is compared. On: from the next
 * comparing_follow().
 */
void comparing_configure(struct comparing *comparing, bool on);

/**
 * The vCPUs that exist, and what they are to have, a result for each in the inventory's order.
 * While it is on, those with a slot whose profile boosts by a real-time class are compared.
 */
void comparing_follow(struct comparing *comparing, const struct inventory *inventory,
                      const struct plan_vcpu *plan, uint32_t cpu_share_permille);

/** A boost was denied, or ended early: see BOOSTER_NOTE_DENIED. */
void comparing_wake(struct comparing *comparing);

/** When something is due: NSEC_NEVER: nothing before comparing_wake(). And does that. */
uint64_t comparing_next_ns(const struct comparing *comparing);
void comparing_run(struct comparing *comparing, uint64_t now_ns);

/** What was found of a vCPU's domain on its CPUs. Returns false if it is not compared. */
bool comparing_read(const struct comparing *comparing, unsigned int slot, struct harm_view *ret);
