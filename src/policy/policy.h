/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The policy: when a vCPU may be boosted, and when that ends. Pure: events and facts go in,
 * decisions come out, time is a parameter. It makes no system call, allocates only in policy_new(),
 * and logs nothing.
 *
 * A vCPU is *armed* while it sleeps, so that its next wake-up is fast without a wake-up of the
 * booster; it stays boosted while its tokens last. The tracer charges the buckets and reports when
 * one is empty. Then the vCPU is unboosted at once, and not boosted again before its bucket is full
 * and it sleeps. A burst within the budget costs no decision at all.
 *
 * A guest may request more than can be seen from outside (enum pvsched_urgency). A vCPU whose guest
 * says that nothing urgent runs *yields*: it is unboosted and keeps its tokens. A vCPU whose guest
 * is urgent, or said when it will be, is boosted while it is awake, too. Requests give no vCPU more
 * than its budget: it can only have back what it yielded.
 *
 * A vCPU that waits to run when an interrupt comes is boosted for as long as serving that takes. A
 * boosted vCPU that spins is unboosted for a while, since KVM cannot let another vCPU of its guest
 * run before a real-time thread. Neither costs it more tokens than it runs.
 *
 *            halted, bucket full, caps free, no hold
 *     BASE ------------------------------------------> ARMED
 *      ^  ^                                            |  |  |
 *      |  +---- full again -- THROTTLED <-- exhausted -+  |  +-- changed by others --> FOREIGN
 *      |                                                  |                               |
 *      +------------------- hold, profile ---------------+      rescan, policy set -------+
 */

#include "policy/names.h"
#include "policy/profile.h"
#include "policy/step.h"
#include "util/base.h"

struct policy;

/** A policy for vCPU ids below @n_vcpus. NULL when memory is out. */
struct policy *policy_new(unsigned int n_vcpus, const struct host_caps *caps);

/** Takes NULL; returns NULL. */
struct policy *policy_free(struct policy *policy);

/** The caps of the host; the limit on changes counts from here. */
void policy_set_caps(struct policy *policy, const struct host_caps *caps);

/** Holds that bind every vCPU; the caller then steps each with POLICY_EVENT_LOOK. */
void policy_hold_all(struct policy *policy, uint32_t holds);

/** A new vCPU in BASE, held by @holds. An earlier one of that id is forgotten. */
void policy_add(struct policy *policy, unsigned int vcpu, const struct profile *profile,
                uint32_t holds, uint64_t now_ns);

/** The vCPU is gone; nothing is decided for it any more. */
void policy_remove(struct policy *policy, unsigned int vcpu);

/** Another profile; takes effect with the next step, also on a boosted vCPU. */
void policy_set_profile(struct policy *policy, unsigned int vcpu, const struct profile *profile);

/** Sets and clears holds of one vCPU; the caller then steps it. */
void policy_hold(struct policy *policy, unsigned int vcpu, uint32_t set, uint32_t clear);

/** Whether POLICY_EVENT_MAY_PUSH could lead to PUSH now, if another CPU had room. */
bool policy_may_push(const struct policy *policy, unsigned int vcpu, uint64_t now_ns);

/** All holds that bind a vCPU: its own and those of all vCPUs. */
uint32_t policy_holds(const struct policy *policy, unsigned int vcpu);

/**
 * One event. The caller carries the decision out before the next step of that vCPU: BOOST is
 * confirmed with policy_boosted(), UNBOOST and FORGET are final (the actuator answers for them).
 */
void policy_step(struct policy *policy, unsigned int vcpu, const struct policy_input *input,
                 struct policy_decision *ret);

/**
 * What came of a BOOST. @hold is 0 when the thread is boosted now; else the hold that prevents it.
 * POLICY_EVENT_RESCAN clears those that are worth another try: RT_REFUSED, ALREADY_RT, FAILED.
 * @facts are those after the call. If the vCPU is awake, it is looked at again when its tokens end,
 * since the tracer starts its deadline only at the next switch-in.
 */
void policy_boosted(struct policy *policy, unsigned int vcpu, uint32_t hold,
                    const struct policy_facts *facts, uint64_t now_ns);

/** What of enum profile_help applies to a vCPU that waits for another one; 0: nothing. */
uint32_t policy_help_of(const struct policy *policy, unsigned int vcpu);

/** A vCPU waited for another one of its domain. */
struct policy_help {
	unsigned int round;         /* enum help_round */
	unsigned int awaited;       /* without a meaning with HELP_NONE */
	bool pulsed;                /* that one was boosted for it */
	bool spins;                 /* the waiter cannot go on */
	uint32_t entitled_permille; /* the waiter's fair share of its CPU; 0: unknown */
	uint64_t now_ns;
};

/**
 * Counts it; a vCPU that spins may be held for it: pulse.h. Returns when the next wait of that vCPU
 * is worth an event: one that could not be helped is likely to be followed by others.
 */
uint64_t policy_helped(struct policy *policy, unsigned int waiter, const struct policy_help *help);

/**
 * By command: the vCPU is boosted at once if nothing but being awake prevents it, and stays so
 * until @until_ns, whatever its guest requests, while its tokens last. The caller then steps it
 * with POLICY_EVENT_LOOK; the view says what came of it.
 */
void policy_boost(struct policy *policy, unsigned int vcpu, uint64_t until_ns);

/** The debt of one boosted vCPU of a CPU: run time that it has used and not yet repaid. */
struct policy_debt {
	unsigned int vcpu;
	uint64_t owed_ns;
};

/**
 * The debtor, which makes room when its CPU's bucket is empty: index of the debt that owes most,
 * the first of several; -1 if n is 0.
 */
int policy_debtor(const struct policy_debt *debts, size_t n);

/** When the next vCPU wants a LOOK; NSEC_NEVER when none does. */
uint64_t policy_next_ns(const struct policy *policy);

/** The vCPU that wants it first, if that is due at @now_ns; else -1. The caller then steps it. */
int policy_due(const struct policy *policy, uint64_t now_ns);

const struct policy_view *policy_view(const struct policy *policy, unsigned int vcpu);
