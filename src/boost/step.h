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

/** All vCPUs. */
void step_all(struct booster *b, enum policy_event event);

/** Gives a boosted vCPU back what it had, whatever the policy says. It may fail: that is noted. */
void step_unboost(struct booster *b, unsigned int slot);
