/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The actuator: carries out decisions on threads, and can always undo them. The record in the
 * ledger comes first, and the identity of the thread is proven before and after each change (see
 * identity.h). For the booster thread alone, except actuator_open() and actuator_close(), which the
 * main thread calls for slots that the booster does not have.
 */

#include "boost/accounts.h"
#include "boost/boosted_slots.h"
#include "boost/ledger.h"
#include "boost/sched.h"
#include "model/domain.h"
#include "util/base.h"

struct actuator;

/** Outcomes of boost and unboost. */
enum {
	ACTUATOR_GONE = 1,   /* the thread is gone */
	ACTUATOR_FOREIGN,    /* it does not have the class that we gave it: left alone */
	ACTUATOR_ALREADY_RT, /* it has a real-time class that we did not give: not touched */
	ACTUATOR_REFUSED, /* the kernel said EPERM: no RT budget in its group, or no capability */
};

/**
 * With room for @n_slots threads, whose accounts are those of the same slots. NULL when memory is
 * out. @ledger and @accounts must outlive it.
 */
struct actuator *actuator_new(struct ledger *ledger, const struct accounts *accounts,
                              unsigned int n_slots, const struct sched_boost *boost);

/** Takes NULL; returns NULL. No thread may be boosted any more. */
struct actuator *actuator_free(struct actuator *actuator);

/**
 * Takes on a thread. Returns 0; ACTUATOR_GONE when there is none with that id; -errno.
 */
int actuator_open(struct actuator *actuator, unsigned int slot, const struct thread_id *thread);

/** Lets go of the thread, which must not be boosted. */
void actuator_close(struct actuator *actuator, unsigned int slot);

/**
 * Boosts the thread, which must not be boosted. Returns 0, an outcome, or -errno; except on 0 the
 * thread is as it was.
 */
int actuator_boost(struct actuator *actuator, unsigned int slot, uint64_t now_ns);

/**
 * Gives back what the thread had, also to one that goes on under its leader's TID after execve(),
 * which is ACTUATOR_GONE: the TID of the slot is not the thread's any more. Returns 0,
 * ACTUATOR_GONE or ACTUATOR_FOREIGN: in all three the record is gone; or -errno: the thread is
 * still boosted, and the record stays for the guardian.
 */
int actuator_unboost(struct actuator *actuator, unsigned int slot, uint64_t now_ns);

/**
 * Is the slot's thread boosted? It is from actuator_boost() until actuator_unboost() was
 * successful.
 */
bool actuator_is_boosted(const struct actuator *actuator, unsigned int slot);

/** The boosted slots; the same object at each call. */
const struct boosted_slots *actuator_boosted(const struct actuator *actuator);

/** The same, after its lists of CPUs have followed the tracer: see boosted_slots_follow(). */
const struct boosted_slots *actuator_boosted_now(struct actuator *actuator);

/** To be called when the account of the slot has another domain. */
void actuator_domain_changed(struct actuator *actuator, unsigned int slot);

/** Asks the kernel: does a boosted thread still have what actuator_boost() gave it? */
bool actuator_has_boost(const struct actuator *actuator, unsigned int slot);
