/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Pushing a boosted vCPU off a CPU whose bucket is empty. Admission bounds the shares of the vCPUs
 * that may run on a set of CPUs as if they were spread over it, but the kernel moves real-time
 * threads only when two of them meet. Those that never meet stay on one CPU and empty its bucket,
 * while the buckets of the other CPUs are full.
 */

#include "policy/vcpu.h"

/** Whether a vCPU may be pushed now, if another CPU has room. */
bool push_is_allowed(const struct policy *policy, unsigned int vcpu, uint64_t now_ns);

/** A boosted vCPU at POLICY_EVENT_MAY_PUSH: decides PUSH, or nothing. */
void push_step(struct turn *t);
