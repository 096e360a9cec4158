/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The policy: when a vCPU may be elevated, and when that ends. Pure: events and facts in, decisions
 * out, time is a parameter. It makes no system call, allocates only in policy_new(), logs nothing.
 *
 * A vCPU is *armed* while it sleeps, so that its next wake-up is already fast and nobody has to be
 * woken on its way; it stays elevated while its tokens last. The tracer charges the buckets and
 * says when one ran empty; then the vCPU is lowered at once and latched until its bucket is full
 * again and it sleeps. A burst within the budget costs no decision at all.
 *
 * A guest may say more than can be seen from outside (enum pvsched_ask). One that says that nothing
 * urgent runs *yields* its boost and keeps its tokens; one that is urgent, or said when it will be,
 * is raised while it is awake, too. It gets nothing by that which it would not have had anyway:
 * what it yields is all that it can have back.
 *
 * One that waits to run when an interrupt comes is raised, too, for as long as serving that takes.
 * One that spins while elevated is lowered for a while: no other of its guest's vCPUs can be let go
 * first before a real-time thread. Neither costs it more tokens than it runs.
 *
 *            halted, bucket full, caps free, no hold
 *     BASE ------------------------------------------> ARMED
 *      ^  ^                                            |  |  |
 *      |  +---- full again -- THROTTLED <-- exhausted -+  |  +-- changed by others --> FOREIGN
 *      |                                                  |                               |
 *      +------------------- hold, profile ---------------+      rescan, policy set -------+
 */

#include "policy/profile.h"
#include "pvsched/page.h"
#include "util/base.h"

struct policy;

enum policy_state {
	POLICY_BASE,      /* as its owner made it */
	POLICY_ARMED,     /* elevated by us */
	POLICY_THROTTLED, /* lowered for want of tokens; debt to repay */
	POLICY_FOREIGN,   /* somebody else changed the thread: hands off */
	_POLICY_STATE_MAX,
};

/**
 * Why a vCPU is as it is, or why a boost was denied. The first ones are also the bits of a hold
 * mask, strongest first: the lowest bit that is set is the reason given.
 */
enum policy_reason {
	/* holds: set and cleared from outside, by POLICY_HOLD() */
	POLICY_REASON_DISABLED,     /* the global switch */
	POLICY_REASON_BREAKER,      /* the circuit breaker: too many unclean ends */
	POLICY_REASON_GUARDIAN,     /* no guardian answers */
	POLICY_REASON_PREEMPT_RT,   /* a PREEMPT_RT kernel: deadlines run in threads a boost would
	                               starve */
	POLICY_REASON_NO_TRACER,    /* nobody could tell when the budget ends */
	POLICY_REASON_RELEASED,     /* released by command, until it is set again */
	POLICY_REASON_PAUSED,       /* the domain is paused, saved or migrated */
	POLICY_REASON_UNPROVEN,     /* the thread is not proven to be the vCPU */
	POLICY_REASON_QUOTA,        /* a CFS quota holds for the domain: RT time would escape it */
	POLICY_REASON_RT_REFUSED,   /* the kernel refuses RT in its cgroup (RT_GROUP_SCHED) */
	POLICY_REASON_ALREADY_RT,   /* it has a real-time class that is not from us */
	POLICY_REASON_HOUSEKEEPING, /* it may only run on housekeeping CPUs */
	POLICY_REASON_ADMISSION,    /* the shares on its CPUs are given away */
	POLICY_REASON_FAILED,       /* the scheduler call failed for another cause */
	_POLICY_REASON_HOLD_MAX,

	/* decided here */
	POLICY_REASON_PROFILE = _POLICY_REASON_HOLD_MAX, /* its profile does not boost */
	POLICY_REASON_BUDGET,                            /* its bucket is not full again */
	POLICY_REASON_BACKOFF,    /* it emptied its bucket too often in a row */
	POLICY_REASON_DOMAIN_CAP, /* its domain's bucket */
	POLICY_REASON_CPU_CAP,    /* its CPU's bucket */
	POLICY_REASON_SOFTIRQ,    /* the kernel's softirq thread waited behind it for too long */
	POLICY_REASON_UNSEEN,     /* the tracer did not see it run for long: it may run uncharged */
	POLICY_REASON_RATE,       /* too many changes in a second */
	POLICY_REASON_AWAKE,      /* armed at its next halt, not while it runs */
	POLICY_REASON_ORDINARY,   /* its guest said that nothing urgent runs */
	POLICY_REASON_UNASKED,    /* its profile wants to be asked, and the guest does not ask */
	POLICY_REASON_WITHIN,     /* armed: within its budget */
	POLICY_REASON_ASKED,      /* raised while awake, since its guest asked for it */
	POLICY_REASON_COMMAND,    /* raised by command */
	POLICY_REASON_FOREIGN,    /* changed by others */
	POLICY_REASON_GONE,       /* the thread is gone */
	POLICY_REASON_HELPER,     /* a thread that works for its domain waited too long behind it */
	POLICY_REASON_CANARY,     /* ordinary threads did not get to run on its CPU */
	POLICY_REASON_INTERRUPT,  /* raised while it waited, since an interrupt waited with it */
	POLICY_REASON_SPIN,       /* its guest spun while it was elevated */
	POLICY_REASON_NO_DEADLINE, /* the kernel did not start the timer that ends its boost */
	_POLICY_REASON_MAX,
};

#define POLICY_HOLD(reason) (UINT32_C(1) << (reason))

/** Where a vCPU thread is. */
enum policy_whereabouts {
	POLICY_RUNNING,
	POLICY_WAITING, /* runnable, not running */
	POLICY_BLOCKED, /* asleep in QEMU */
	POLICY_HALTED,  /* asleep because its guest is idle */
};

/** What the sensors know of a vCPU at one moment; a copy, taken by the caller. */
struct policy_facts {
	enum policy_whereabouts whereabouts;
	bool quota;        /* a CFS quota was seen over it */
	int64_t tokens_ns; /* least of its own, its domain's and its CPU's, the current run taken
	                      off */
	uint64_t softirqd_since_ns; /* since when ksoftirqd waits on its CPU; 0: it does not */
	bool helper_waits;          /* a thread that works for its domain does so on its CPU */
	uint64_t helper_behind_ns;  /* in this wait, for so long behind elevated vCPUs of the domain
	                             */
	uint64_t full_at_ns;        /* when its own bucket is full; in the past: it is */
	uint64_t domain_at_ns;      /* when its domain's bucket holds a burst of the vCPU */
	uint64_t cpu_at_ns;         /* when its CPU's bucket does */
	uint64_t ran_ns;            /* since it was switched in; 0 unless running */
	uint64_t waited_ns;         /* since it was woken or preempted; 0 unless waiting */
	uint64_t preempted_after_ns; /* waiting: how long it had run then; 0: it was asleep */
	enum pvsched_ask ask;        /* what its guest says; never INVALID */
	uint64_t expected_ns;        /* with ORDINARY: when it will be urgent again; 0: not known */
	uint64_t said_ns;            /* it says so since */
	bool watched;                /* running: the tracer looks when that must end */
	uint64_t urgent_work_ns;     /* how long it is urgent; 0: not known */
	uint64_t urgent_run_ns;      /* how long it runs then, until it sleeps; 0: not known */
	bool interrupted;            /* waiting, and an interrupt came in that time */
	/* with CROWDED, and only if policy_may_displace(): another CPU on which it may run has a
	   burst for it */
	bool room_elsewhere;
};

enum policy_event {
	POLICY_EVENT_LOOK,      /* its timer is due, or something about it changed */
	POLICY_EVENT_HALTED,    /* the tracer reports the halt it was asked to report */
	POLICY_EVENT_EXHAUSTED, /* its own bucket is empty */
	POLICY_EVENT_DOMAIN_EXHAUSTED,
	POLICY_EVENT_CPU_EXHAUSTED,
	POLICY_EVENT_SOFTIRQD, /* ksoftirqd waits while it runs: the tracer's deadline may not fire
	                        */
	POLICY_EVENT_SHED,     /* it owes most on a CPU whose bucket is empty */
	POLICY_EVENT_FOREIGN,  /* it has other attributes than we gave it */
	POLICY_EVENT_RESCAN,   /* look again at what was believed foreign or refused */
	POLICY_EVENT_NO_DEADLINE, /* the timer that ends its boost could not be started */
	POLICY_EVENT_UNSEEN,      /* woken, elevated, and not seen to run for too long */
	POLICY_EVENT_URGENT,      /* it was preempted, or found waiting, and its guest is urgent */
	POLICY_EVENT_ORDINARY,    /* it runs elevated, and its guest says that it need not */
	POLICY_EVENT_HELPER,      /* a helper of its domain waits too long on its CPU */
	POLICY_EVENT_CANARY,      /* ordinary threads do not get to run on its CPU: see canary.h */
	POLICY_EVENT_INTERRUPT,   /* an interrupt came while it waits to run, not elevated */
	POLICY_EVENT_SPIN,        /* it runs elevated, and its guest spins */
	POLICY_EVENT_CROWDED, /* its CPU's bucket is empty: may it go on elsewhere? If not, it and
	                       * who owes most are told so by CPU_EXHAUSTED and SHED
	                       */
	_POLICY_EVENT_MAX,
};

enum policy_action {
	POLICY_NOTHING,
	POLICY_RAISE,  /* elevate it; then tell policy_raised() what came of it */
	POLICY_LOWER,  /* give it back what it had */
	POLICY_FORGET, /* drop the record of it: what it has now is its owner's */
	/*
	 * It stays elevated, and is watched anew from when it is switched in next: the kernel is
	 * to take it to another CPU, unless it has done so already.
	 */
	POLICY_DISPLACE,
};

/** What one step is given. */
struct policy_input {
	enum policy_event event;
	const struct policy_facts *facts; /* as of now_ns */
	uint64_t now_ns;                  /* CLOCK_MONOTONIC */
};

struct policy_decision {
	enum policy_action action;
	enum policy_reason reason;
	bool report_halt; /* the tracer is to report its next halt */
};

/** What a vCPU's policy has done; read by the same thread. */
struct policy_view {
	enum policy_state state;
	enum policy_reason reason;
	uint64_t since_ns; /* in this state */
	uint64_t boosts_total;
	uint64_t throttles_total;  /* ended for want of tokens */
	uint64_t yields_total;     /* given back since its guest said so */
	uint64_t interrupts_total; /* of boosts_total, those for an interrupt that waited */
	uint64_t spins_total;      /* given back since its guest spun */
	uint64_t displaced_total;  /* made to leave a CPU whose bucket was empty */
	uint64_t denied_total[_POLICY_REASON_MAX];
	uint64_t next_ns; /* when it is looked at again without an event; NSEC_NEVER */
	/*
	 * Which events are wanted besides: an unwanted one is harmless, and costs a wake-up. The
	 * tracer is told before a RAISE is carried out: what was waiting runs before it returns.
	 */
	bool wants_urgent, wants_ordinary, wants_interrupt;
	uint64_t grace_ns; /* after how much ordinary work it wants to know of it */
	/* before that an interrupt would be told of for nothing: its tokens are not there yet */
	uint64_t interrupts_from_ns;
};

/** A policy for vCPU numbers below @n_vcpus. NULL when memory is out. */
struct policy *policy_new(unsigned int n_vcpus, const struct host_caps *caps);

/** Takes NULL; returns NULL. */
struct policy *policy_free(struct policy *policy);

/** The caps of the host; the limit on changes counts from here. */
void policy_set_caps(struct policy *policy, const struct host_caps *caps);

/** Holds that bind every vCPU; the caller then steps each with POLICY_EVENT_LOOK. */
void policy_hold_all(struct policy *policy, uint32_t holds);

/** A new vCPU in BASE, held by @holds. Any old one of that number is forgotten. */
void policy_add(struct policy *policy, unsigned int vcpu, const struct profile *profile,
                uint32_t holds, uint64_t now_ns);

/** It is gone; nothing is decided for it any more. */
void policy_remove(struct policy *policy, unsigned int vcpu);

/** Another profile; takes effect with the next step, also on a vCPU that is elevated. */
void policy_set_profile(struct policy *policy, unsigned int vcpu, const struct profile *profile);

/** Sets and clears holds of one vCPU; the caller then steps it. */
void policy_hold(struct policy *policy, unsigned int vcpu, uint32_t set, uint32_t clear);

/** Might POLICY_EVENT_CROWDED come to DISPLACE now, if another CPU has room for it? */
bool policy_may_displace(const struct policy *policy, unsigned int vcpu, uint64_t now_ns);

/** All holds that bind it, its own and everybody's. */
uint32_t policy_holds(const struct policy *policy, unsigned int vcpu);

/**
 * One event. The caller carries the decision out before the next step of that vCPU: RAISE is
 * confirmed with policy_raised(), LOWER and FORGET are final (the actuator answers for them).
 */
void policy_step(struct policy *policy, unsigned int vcpu, const struct policy_input *input,
                 struct policy_decision *ret);

/**
 * What came of a RAISE. @hold is 0 when the thread is elevated now; else the hold that keeps it
 * from it. POLICY_EVENT_RESCAN clears those that are worth another try: RT_REFUSED, ALREADY_RT,
 * FAILED.
 * @facts as they are after it. A vCPU that was caught awake is looked at again when its tokens end,
 * since the tracer starts its deadline only at the next switch-in.
 */
void policy_raised(struct policy *policy, unsigned int vcpu, uint32_t hold,
                   const struct policy_facts *facts, uint64_t now_ns);

/**
 * By command: raised at once if nothing but being awake is in the way, and kept until @until_ns,
 * whatever its guest says, while its tokens last. The caller then steps it with POLICY_EVENT_LOOK;
 * the view says what came of it.
 */
void policy_boost(struct policy *policy, unsigned int vcpu, uint64_t until_ns);

/** What one elevated vCPU of a CPU has taken and not yet repaid. */
struct policy_claim {
	unsigned int vcpu;
	uint64_t owed_ns;
};

/** Who must make room when their CPU's bucket is empty: index of the largest debtor, -1 if n is 0.
 */
int policy_debtor(const struct policy_claim *claims, size_t n);

/** When the next vCPU wants a LOOK; NSEC_NEVER when none does. */
uint64_t policy_next_ns(const struct policy *policy);

/** The vCPU that wants it most, if it is due at @now_ns; else -1. The caller then steps it. */
int policy_due(const struct policy *policy, uint64_t now_ns);

const struct policy_view *policy_view(const struct policy *policy, unsigned int vcpu);

/** Short names, as in JSON and the journal: "armed", "cpu-cap". Never NULL for a valid value. */
const char *policy_state_name(enum policy_state state);
const char *policy_reason_name(enum policy_reason reason);

/** A sentence for people that explains a reason and what can be done about it. */
const char *policy_reason_text(enum policy_reason reason);
