/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * An interrupt that comes while its vCPU waits to run: whether the vCPU is boosted for it, and for
 * how long.
 */

#include "policy/vcpu.h"

/** When its own bucket has the tokens for such a boost; in the past: it has. */
uint64_t interrupt_from_ns(const struct turn *t);

/** It waits, an interrupt waits with it, and it has the tokens to be boosted for that. */
bool interrupt_waits(const struct turn *t);

/** How long it may run for that. */
uint64_t interrupt_run_ns(const struct policy_facts *facts);

/**
 * Boosted: true when the boost was for an interrupt and that has had its time. Where the boost is
 * to go on for another cause, it is for that cause from now on, and the answer is false.
 */
bool interrupt_is_over(struct turn *t);

/** When that may be so; NSEC_NEVER: the boost is not for an interrupt. */
uint64_t interrupt_look_ns(const struct turn *t);
