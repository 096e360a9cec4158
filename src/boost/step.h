/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A step of a vCPU: from what is known of it and what happened to it, the policy decides, and the
 * actuator carries that out. For the booster thread alone.
 */

#include "policy/policy.h"
#include "util/base.h"

struct booster;

/** One vCPU. Returns what was done first: a step may be followed by a second one at once. */
enum policy_action step_vcpu(struct booster *b, unsigned int slot, enum policy_event event);

/** The same for callers that have just read the clock. */
enum policy_action step_vcpu_at(struct booster *b, unsigned int slot, enum policy_event event,
                                uint64_t now_ns);

/** POLICY_EVENT_AWAITED, with what another vCPU offers for a pulse of this one. */
void step_awaited(struct booster *b, unsigned int slot, const struct policy_offer *offer,
                  uint64_t now_ns);

/** All vCPUs. */
void step_all(struct booster *b, enum policy_event event);

/** The work for one vCPU, which its domain is charged with: see policy/attention.h. */
struct step_cost {
	unsigned int slot;
	bool was_boosted;
	uint64_t begin_ns;
};

struct step_cost step_begin(const struct booster *b, unsigned int slot);

/** Returns the time. */
uint64_t step_end(struct booster *b, const struct step_cost *cost);

/** The same for work that other threads caused: no domain is charged with it. */
uint64_t step_end_of_others(struct booster *b, const struct step_cost *cost);

/**
 * The turn ends: charges what is no step's, which is mostly waking up and waiting again, to the
 * domain whose event came first.
 */
void step_turn_end(struct booster *b);

/** Gives a boosted vCPU back what it had, whatever the policy says. It may fail: that is noted. */
void step_unboost(struct booster *b, unsigned int slot);
