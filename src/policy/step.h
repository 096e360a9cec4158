/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * One step of the policy: the facts and the event that go in, the decision that comes out, and the
 * view of a vCPU that is left. Plain values.
 */

#include "core/costs.h"
#include "policy/names.h"
#include "pvsched/page.h"
#include "util/base.h"

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
	bool quota;                   /* a CFS quota was seen above it */
	int64_t tokens_ns;            /* least of its own, its domain's and its CPU's tokens, and of
	                                 what the CPU's sheet has left, less what the current run
	                                 has used */
	uint64_t softirqd_since_ns;   /* ksoftirqd waits on its CPU since then; 0: it does not */
	bool helper_waits;            /* a thread that works for its domain waits on its CPU */
	uint64_t helper_behind_ns;    /* in that wait, for so long behind its boosted vCPUs */
	uint64_t unheard_until_ns;    /* its domain is unheard until then: attention.h; 0: heard */
	uint64_t full_at_ns;          /* when its own bucket is full; in the past: it is */
	uint64_t domain_at_ns;        /* when its domain's bucket holds a burst of the vCPU */
	uint64_t cpu_at_ns;           /* when its CPU's bucket does */
	uint64_t sheet_at_ns;         /* when its CPU's sheet has room for one: core/sheet.h */
	bool sheet_used_up;           /* that sheet has nothing left */
	uint64_t ran_ns;              /* since it was switched in; 0 unless running */
	uint64_t waited_ns;           /* since it was woken or preempted; 0 unless waiting */
	uint64_t preempted_after_ns;  /* waiting: how long it had run then; 0: it was asleep */
	enum pvsched_urgency urgency; /* what its guest requests; never INVALID */
	uint64_t expected_ns;    /* with ORDINARY: when it will be urgent again; 0: not known */
	uint64_t said_ns;        /* its guest says so since then */
	bool agent;              /* its guest's scheduler says what runs */
	uint32_t priority;       /* the highest real-time priority that is urgent; 0: none is */
	uint32_t speaks;         /* the policy that its guest names: registry.h; 0: none */
	bool watched;            /* running: the tracer has a deadline for this run */
	uint64_t urgent_work_ns; /* how long it is urgent; 0: not known */
	uint64_t urgent_run_ns;  /* how long it runs then, until it sleeps; 0: not known */
	bool interrupted;        /* waiting, and an interrupt came in that time */
	bool awaited;            /* a helper: a vCPU of its domain is boosted */
	bool steady;             /* a helper: its runs are short and regular, see core/follow.h */
	/* with MAY_PUSH, and only if policy_may_push(): another CPU on which it may run has a
	   burst for it */
	bool room_elsewhere;
	/* of the machine */
	struct pvs_prices prices;
};

enum policy_event {
	POLICY_EVENT_LOOK,             /* its timer is due, or something about it changed */
	POLICY_EVENT_HALTED,           /* the tracer reports the halt that it was told to report */
	POLICY_EVENT_EXHAUSTED,        /* its own bucket is empty */
	POLICY_EVENT_DOMAIN_EXHAUSTED, /* its domain's bucket is empty */
	POLICY_EVENT_CPU_EXHAUSTED,    /* its CPU's bucket is empty */
	POLICY_EVENT_SHEET_USED_UP,    /* its CPU's sheet has nothing left */
	POLICY_EVENT_SOFTIRQD, /* ksoftirqd waits behind it: the tracer's deadline may not fire */
	POLICY_EVENT_SHED,     /* its CPU's bucket is empty, and it is the largest debtor there */
	POLICY_EVENT_FOREIGN,  /* its scheduling attributes are not those that we set */
	POLICY_EVENT_RESCAN,   /* look again at what was believed foreign or refused */
	POLICY_EVENT_NO_DEADLINE,  /* the timer that ends its boost could not be started */
	POLICY_EVENT_UNSEEN,       /* it was woken boosted, and not seen to run for too long */
	POLICY_EVENT_URGENT,       /* it was preempted, or found waiting, and its guest is urgent */
	POLICY_EVENT_ORDINARY,     /* it runs boosted, and its guest says that it need not */
	POLICY_EVENT_HELPER,       /* a helper of its domain waits too long on its CPU */
	POLICY_EVENT_INTERRUPT,    /* an interrupt came while it waits to run, not boosted */
	POLICY_EVENT_SPIN,         /* it runs boosted, and its guest spins */
	POLICY_EVENT_SHORT,        /* it halted boosted, with too few tokens for its usual work */
	POLICY_EVENT_AWAITED,      /* it waits to run, and another vCPU of its domain for it */
	POLICY_EVENT_PULSE_OVER,   /* it runs boosted for that one, and has had its time */
	POLICY_EVENT_HELPER_WAITS, /* a helper waits to run, not boosted, and its domain for it */
	/*
	 * Its CPU's bucket is empty, or its sheet is used up: may it be pushed to another CPU? If
	 * not, the caller unboosts it and the largest debtor by CPU_EXHAUSTED and SHED, or it by
	 * SHEET_USED_UP.
	 */
	POLICY_EVENT_MAY_PUSH,
	_POLICY_EVENT_MAX,
};

/** What another vCPU offers for a pulse of this one: see pulse.h. */
struct policy_offer {
	uint32_t payer;    /* as pvs_vcpu_account::payer; not 0 */
	int64_t tokens_ns; /* least of the payer's, the domain's and this one's CPU's tokens, and of
	                      what that CPU's sheet has left */
};

/** What one step is given. */
struct policy_input {
	enum policy_event event;
	const struct policy_facts *facts; /* as of now_ns */
	uint64_t now_ns;                  /* CLOCK_MONOTONIC */
	const struct policy_offer *offer; /* with AWAITED; else NULL */
};

enum policy_action {
	POLICY_NOTHING,
	POLICY_BOOST,   /* boost it; then tell policy_boosted() what came of it */
	POLICY_UNBOOST, /* unboost it: restore what the thread had */
	POLICY_FORGET,  /* its class was changed: as UNBOOST, which touches nothing that is not ours
	                 */
	/*
	 * Push it: it stays boosted, and the kernel is to move it to another CPU, unless it has
	 * done so already. The tracer watches it anew from its next switch-in.
	 */
	POLICY_PUSH,
};

struct policy_decision {
	enum policy_action action;
	enum policy_reason reason;
	bool report_halt; /* the tracer is to report its next halt */
	/* of a BOOST that is a pulse: who pays, as in the offer, and how long it may run; else 0 */
	uint32_t payer;
	uint64_t pulse_ns;
};

#define POLICY_HELP_ROUNDS 5

/** What the policy has done with a vCPU; read by the same thread. */
struct policy_view {
	enum policy_state state;
	enum policy_reason reason;
	uint32_t policy;   /* that decided last: registry.h */
	uint64_t since_ns; /* in this state */
	uint64_t boosts_total;
	uint64_t throttles_total;  /* boosts that their limits ended */
	uint64_t shorts_total;     /* of these, those that ended asleep: see POLICY_EVENT_SHORT */
	uint64_t yields_total;     /* boosts that ended since the guest did ordinary work */
	uint64_t interrupts_total; /* of boosts_total, those for an interrupt that waited */
	uint64_t spins_total;      /* boosts that ended since the guest spun */
	uint64_t pushed_total;     /* pushes off a CPU whose bucket was empty */
	uint64_t helps_total[POLICY_HELP_ROUNDS]; /* by enum help_round: it waited for another */
	uint64_t no_pulse_total;                  /* and that one could not be boosted */
	uint64_t pulses_total; /* of boosts_total, those that another vCPU paid for */
	uint64_t holds_total;  /* it was held, since it spun */
	uint64_t denied_total[_POLICY_REASON_MAX];
	uint64_t denied_sum;            /* of these, for all reasons */
	enum policy_reason denied_last; /* the reason of the last one, if there is any */
	uint64_t next_ns; /* when it is looked at again without an event; NSEC_NEVER */
	/*
	 * The events that are wanted besides: an unwanted one is harmless, but costs a wake-up. The
	 * tracer is told before a BOOST is carried out, since a vCPU that was waiting runs before
	 * that call returns.
	 */
	bool wants_urgent, wants_ordinary, wants_interrupt, wants_waits;
	uint64_t grace_ns; /* ORDINARY is wanted after so much ordinary work */
	/* an INTERRUPT before that is in vain: the tokens for it are not there yet */
	uint64_t interrupts_from_ns;
};
