/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What a profile of mode auto learns of a thread that the stack traces, by the daemon's own
 * estimator and rule (policy/recommend.h, policy/learn.h). Looks are some seconds apart, and not a
 * minute: the demand of a benchmark does not change.
 */

#include "policy/learn.h"
#include "stack.h"

struct learner {
	struct learned learned;
	struct recommend last; /* of the last look */
	uint32_t entitled_permille;
};

/**
 * Learns for @for_ns of what slot 0, thread @tid, does meanwhile: observed at first, then boosted
 * by what was learned so far. *profile is that in the end; its mode is PROFILE_OBSERVE if nothing
 * was. Returns 0, or -errno.
 */
int learner_learn(struct stack *stack, pid_t tid, uint64_t for_ns, struct profile *profile,
                  struct learner *ret);
