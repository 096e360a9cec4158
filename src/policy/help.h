/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A vCPU that waits for another one of its domain helps that one, if its profile says so: the
 * awaited one gets a *pulse*, a boost for the time that serving an interrupt or leaving a critical
 * section takes. The waiter pays for it. Which one is awaited is chosen in rounds, from what is
 * known for certain to what is a guess. The idea of the rounds and of the hold is that of the
 * series "KVM IPI-Aware Directed Yield" and "vCPU debooster".
 */

#include "policy/profile.h"
#include "util/base.h"

/** By what the awaited vCPU was found; in the order in which it is looked for. */
enum help_round {
	HELP_NAMED,   /* its guest named it */
	HELP_SENT,    /* the waiter sent it an interrupt that is not served yet */
	HELP_PENDING, /* it was preempted in a critical section, or with interrupts */
	HELP_RELAXED, /* of those that were preempted, it waits longest */
	HELP_NONE,    /* there is none to help */
};

/** Another vCPU of the waiter's domain, at one moment. */
struct help_sibling {
	unsigned int vcpu;
	bool waits;         /* to run, and is not boosted: it can be helped */
	bool named, sent;   /* see HELP_NAMED, HELP_SENT */
	bool critical;      /* its guest says that a critical section was preempted */
	bool pending;       /* interrupts wait with it */
	uint64_t waited_ns; /* to run */
};

struct help_choice {
	enum help_round round;
	size_t index; /* in siblings[]; without a meaning with HELP_NONE */
};

/**
 * Which sibling is to be helped. @help: enum profile_help of the waiter. @spins: the waiter cannot
 * go on; else it has only sent an interrupt, and what is a guess is not made.
 */
struct help_choice help_choose(const struct help_sibling *siblings, size_t n, uint32_t help,
                               bool spins);

/** Does the profile help at all? */
static inline bool help_is_wanted(const struct profile *profile)
{
	return profile->mode == PROFILE_BOOST && profile->help;
}
