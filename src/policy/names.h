/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The states that a vCPU can be in and the reasons for them, with their names: short ones for JSON
 * and the journal, and a sentence for people.
 */

#include "util/base.h"

enum policy_state {
	POLICY_UNBOOSTED, /* not boosted: as its owner made it */
	POLICY_ARMED,     /* boosted */
	POLICY_THROTTLED, /* not boosted, for lack of tokens: it has a debt to repay */
	POLICY_FOREIGN,   /* another program changed the thread, so we leave it alone */
	_POLICY_STATE_MAX,
};

/**
 * Why a vCPU is in its state, or why a boost was denied. The first reasons are also the bits of a
 * mask of holds, strongest first: the lowest bit that is set is the reason given.
 */
enum policy_reason {
	/* holds: set and cleared from outside, by POLICY_HOLD() */
	POLICY_REASON_DISABLED,     /* the global switch is off */
	POLICY_REASON_BREAKER,      /* the circuit breaker is open: see breaker.h */
	POLICY_REASON_GUARDIAN,     /* no guardian answers */
	POLICY_REASON_PREEMPT_RT,   /* a PREEMPT_RT kernel: deadlines run in threads that a boost
	                               would starve */
	POLICY_REASON_NO_TRACER,    /* without the tracer nothing tells when the tokens end */
	POLICY_REASON_RELEASED,     /* released by command, until it is set again */
	POLICY_REASON_PAUSED,       /* the domain is paused, saved or migrated */
	POLICY_REASON_UNPROVEN,     /* the thread is not proven to be the vCPU */
	POLICY_REASON_QUOTA,        /* a CFS quota holds for the domain: RT time would escape it */
	POLICY_REASON_RT_REFUSED,   /* the kernel refuses RT in its cgroup (RT_GROUP_SCHED) */
	POLICY_REASON_ALREADY_RT,   /* its real-time class is not from us */
	POLICY_REASON_HOUSEKEEPING, /* it may only run on housekeeping CPUs */
	POLICY_REASON_LEVERS,       /* its profile has no real-time class, or its slice is being
	                               changed */
	POLICY_REASON_ADMISSION,    /* other vCPUs have all shares of its CPUs */
	POLICY_REASON_FAILED,       /* the scheduler call failed for another cause */
	POLICY_REASON_HARMFUL,      /* vCPUs wait longer with boosts than without: see harm.h */
	POLICY_REASON_NEEDLESS,     /* it waits no longer without boosts */
	POLICY_REASON_COMPARED,     /* for a moment nothing is boosted on its CPUs, to compare */
	_POLICY_REASON_HOLD_MAX,

	/* decided here */
	POLICY_REASON_PROFILE = _POLICY_REASON_HOLD_MAX, /* its profile does not boost */
	POLICY_REASON_AUTO,                              /* likewise, as it learned */
	POLICY_REASON_BUDGET,                            /* its bucket is not full again */
	POLICY_REASON_BACKOFF,       /* it emptied its bucket too often in a row */
	POLICY_REASON_DOMAIN_CAP,    /* its domain's bucket is not full again */
	POLICY_REASON_CPU_CAP,       /* its CPU's bucket is not full again */
	POLICY_REASON_CPU_REAL_TIME, /* real-time threads have all of its CPU's time that they may
	                              */
	POLICY_REASON_SOFTIRQ,       /* ksoftirqd waited behind it for too long */
	POLICY_REASON_UNSEEN,     /* the tracer did not see it run for long: it may run uncharged */
	POLICY_REASON_RATE,       /* too many changes in a second */
	POLICY_REASON_AWAKE,      /* it is awake: it is armed at its next halt */
	POLICY_REASON_ORDINARY,   /* its guest says that nothing urgent runs */
	POLICY_REASON_NO_REQUEST, /* its profile demands requests, and its guest makes none */
	POLICY_REASON_WITHIN,     /* armed: within its budget */
	POLICY_REASON_REQUESTED,  /* boosted while awake, since its guest requested it */
	POLICY_REASON_COMMAND,    /* boosted by command */
	POLICY_REASON_FOREIGN,    /* another program changed the thread */
	POLICY_REASON_HELPER,     /* a thread that works for its domain waited too long behind it */
	POLICY_REASON_INTERRUPT,  /* boosted while it waited, since an interrupt waited with it */
	POLICY_REASON_SPIN,       /* its guest spun while it was boosted */
	POLICY_REASON_NO_DEADLINE, /* the kernel did not start the timer that ends its boost */
	POLICY_REASON_ATTENTION,   /* its domain has had its part of the booster's time */
	POLICY_REASON_NOT_URGENT,  /* its policy boosts it while its guest is urgent, and it is not
	                            */
	POLICY_REASON_AWAITED,     /* boosted for a moment, since another vCPU waits for it */
	POLICY_REASON_FOLLOWS,     /* a helper, boosted for one run since its domain waits for it */
	POLICY_REASON_NOT_AWAITED, /* its policy boosts it, or a helper, while a vCPU of its domain
	                              waits for it, and none does */
	POLICY_REASON_NO_SLOT,     /* not traced: other vCPUs have all slots */
	POLICY_REASON_NOT_TRACED,  /* the kernel or the booster did not take it on */
	_POLICY_REASON_MAX,
};

#define POLICY_HOLD(reason) (UINT32_C(1) << (reason))

/** Short names, as in JSON and the journal: "armed", "cpu-cap". Never NULL for a valid value. */
const char *policy_state_name(enum policy_state state);
const char *policy_reason_name(enum policy_reason reason);

/** A sentence for people that explains a reason and what can be done about it. */
const char *policy_reason_text(enum policy_reason reason);
