/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * One vCPU as the policy knows it, and what several files of this room do with it: plan the next
 * look, enter a state, count changes. The bottom of the room:
 *
 *     policy.c            the door
 *     unboosted boosted   what happens to a vCPU; neither needs the other
 *     push                off a CPU whose bucket is empty
 *     pulse               boosts of a vCPU that another one waits for
 *     bounds              what holds whatever a policy wishes
 *     kind_...            a policy: what it wishes; kinds.c lists those that can be chosen
 *     request             what the guest requests
 *     interrupt           what an interrupt needs that waits with its vCPU
 *     vcpu                this
 *
 * A file includes only headers of lines below its own.
 */

#include "policy/profile.h"
#include "policy/step.h"
#include "policy/timers.h"

/*
 * Beside the state of policy.h, a vCPU has four small machines. How its last boost ended decides
 * *tokens*. *reports* begins anew when a boost ends, and lives until the next one; *watch* and
 * *yield* begin anew with each boost, and live until it ends. o--> is where a machine begins.
 */

/**
 * Not boosted: what the tracer is to report of the vCPU. After a halt that was too short to arm in
 * halts are not reported, and after too many calls in vain these are not, until the next look.
 *
 *                      halt
 *         o--> ALL -----------> NO_HALTS
 *               |                  |
 *               | call in vain     | call in vain
 *               v                  v
 *           NO_CALLS ---------> NEITHER
 *                      halt
 *
 * From every state, a look leads to ALL, and a look in vain to NO_CALLS. A call that is not in vain
 * leads nowhere, and neither does what is off already.
 */
enum reports {
	REPORTS_ALL,
	REPORTS_NO_HALTS,
	REPORTS_NO_CALLS,
	REPORTS_NEITHER,
	_REPORTS_MAX,
};

enum reports_event {
	REPORTS_ON_LOOK,         /* any other step that does not boost it */
	REPORTS_ON_LOOK_IN_VAIN, /* too often its guest put off when it would be urgent */
	REPORTS_ON_HALT,         /* HALTED, but awake again */
	REPORTS_ON_CALL,         /* URGENT or INTERRUPT, but not to be boosted */
	REPORTS_ON_CALL_IN_VAIN, /* too often URGENT, but not to be boosted */
	_REPORTS_EVENT_MAX,
};

enum reports reports_next(enum reports reports, enum reports_event event);

/** HALTED is wanted. */
static inline bool reports_halts(enum reports reports)
{
	return reports == REPORTS_ALL || reports == REPORTS_NO_CALLS;
}

/** URGENT is wanted. */
static inline bool reports_calls(enum reports reports)
{
	return reports == REPORTS_ALL || reports == REPORTS_NO_HALTS;
}

/**
 * Boosted: what sees the end of the tokens. The tracer starts its deadline when it switches a
 * boosted vCPU in, so our timer watches the run in which the boost begins, and the run after which
 * the vCPU is to be pushed.
 *
 *                       tracer
 *     o--> BY_TIMER -------------> BY_TRACER
 *              ^                       |
 *              +-------- push ---------+
 */
enum watch {
	WATCH_BY_TIMER,
	WATCH_BY_TRACER,
	_WATCH_MAX,
};

enum watch_event {
	WATCH_ON_RUN,    /* it runs, and the tracer has no deadline for that run */
	WATCH_ON_TRACER, /* the tracer has one, or starts one when it switches it in */
	WATCH_ON_PUSH,
	_WATCH_EVENT_MAX,
};

enum watch watch_next(enum watch watch, enum watch_event event);

/**
 * Boosted: whether it offered to yield in this run, that is, whether its guest did ordinary work.
 * An offer is accepted, which ends the boost, or declined, with a look planned for later. After
 * that look only we see when it may yield in this run.
 *
 *                          decline
 *     o--> NOT_OFFERED -------------> DECLINED <-----+
 *              ^   ^                   |    |        |
 *              |   +------ sleep ------+    | look   | decline
 *              |                            v        |
 *              +---------- sleep ---- DECLINED_BEFORE
 */
enum yield {
	YIELD_NOT_OFFERED,
	YIELD_DECLINED,        /* no event is wanted: a look is planned */
	YIELD_DECLINED_BEFORE, /* at an earlier look */
	_YIELD_MAX,
};

enum yield_event {
	YIELD_ON_LOOK,
	YIELD_ON_DECLINE,
	YIELD_ON_SLEEP, /* it sleeps: the run is over */
	_YIELD_EVENT_MAX,
};

enum yield yield_next(enum yield yield, enum yield_event event);

/**
 * How a boost ends decides the vCPU's state, and whether it has kept its tokens, or must earn them
 * back: then its bucket must be full before the next boost.
 *
 *                     given back
 *     o--> ARMED --+-------------> UNBOOSTED  tokens KEPT
 *                  |  forbidden
 *                  +-------------> UNBOOSTED  tokens TO_EARN
 *                  |  exhausted
 *                  +-------------> THROTTLED  tokens TO_EARN
 *                  |  foreign
 *                  +-------------> FOREIGN    tokens TO_EARN
 *                     refused
 *     o--> BOOST ----------------> UNBOOSTED  tokens TO_EARN
 */
enum tokens {
	TOKENS_TO_EARN,
	TOKENS_KEPT,
};

enum boost_end {
	BOOST_GIVEN_BACK, /* it has no use for its boost now */
	BOOST_FORBIDDEN,  /* by a hold, its profile or a quota */
	BOOST_EXHAUSTED,  /* it has no tokens, or waits as if it had none */
	BOOST_FOREIGN,    /* another program changed the thread */
	BOOST_REFUSED,    /* by the kernel: it has not begun */
	_BOOST_END_MAX,
};

struct boost_outcome {
	enum policy_state state;
	enum tokens tokens;
};

struct boost_outcome boost_outcome(enum boost_end end);

/** What is known of a vCPU only while it is not boosted. Zeroed: a new one. */
struct vcpu_unboosted {
	enum tokens tokens;
	enum reports reports;
	unsigned int vain_calls;  /* URGENT and WAITS, and looks that its guest put off, in a row */
	unsigned int short_halts; /* in a row */
	unsigned int turned_away; /* in a row, since a shared bucket was not full */
};

/** A boost that was decided: kept from BOOST to policy_boosted(). */
struct vcpu_boost {
	enum policy_reason why;
	uint64_t planned_look_ns;  /* decided at the look that was planned for then; 0: not */
	uint64_t urgent_from_ns;   /* decided awake, to be urgent from then on; 0: asleep */
	uint64_t interrupt_run_ns; /* for an interrupt, to run for so long; 0: not */
	/* a pulse, pulse.h: its length, and what the vCPU is again when it is over; 0: none */
	uint64_t pulse_ns;
	struct vcpu_unboosted before;
	enum policy_state before_state;
	enum policy_reason before_reason;
	uint64_t before_look_ns;
};

/** What is known of a vCPU only while it is boosted. */
struct vcpu_boosted {
	enum watch watch;
	enum yield yield;
	uint64_t urgent_from_ns;      /* of the run that goes on; 0: not known */
	uint64_t interrupt_run_ns;    /* boosted for an interrupt, to run for so long; 0: not */
	unsigned int interrupt_looks; /* at that run, while it was not over */
	uint64_t pulse_ns;            /* a pulse of that length; 0: none */
	uint64_t pulse_until_ns;      /* it must have run by then */
};

struct policy_vcpu {
	bool present;
	struct profile profile;
	uint32_t holds;
	struct vcpu_boost boost;
	union {
		struct vcpu_unboosted unboosted; /* in every state but ARMED */
		struct vcpu_boosted boosted;     /* ARMED */
	};
	uint64_t burst_from_ns; /* when the boost began that its tokens were for */
	unsigned int strikes;   /* buckets emptied in a row by steady demand */
	uint64_t backoff_until_ns;
	enum policy_reason backoff_why;
	uint64_t command_until_ns;  /* boosted by command until then; 0: not */
	uint64_t rate_repaid_at_ns; /* bucket of changes */
	uint64_t lead_ns;           /* boosted so long before it is to be urgent; 0: not learned */
	uint64_t expected_look_ns;  /* the look that is planned for that; 0: none */
	unsigned int spins;         /* boosts in a row that ended since it spun */
	uint64_t spin_until_ns;     /* not boosted before */
	uint64_t hold_began_ns;     /* of the last one for spinning; 0: none */
	unsigned int helped;        /* the vCPU that it helped last, */
	uint64_t helped_ns;         /* and when; 0: none */
	uint64_t pushed_ns;         /* last pushed off a CPU at */
	struct policy_view view;
};

struct policy {
	unsigned int n_vcpus;
	uint32_t holds; /* of all vCPUs */
	struct host_caps caps;
	struct pvs_prices prices;   /* of the machine, as of the last step */
	uint64_t push_repaid_at_ns; /* bucket of the time that pushes take */
	struct timers *timers;
	struct policy_vcpu *vcpus;
};

/**
 * One step of one vCPU, or what came of a BOOST. A function that takes it const only answers a
 * question.
 */
struct turn {
	struct policy *policy;
	const struct policy_kind *kind; /* the policy that decides for this vCPU */
	struct policy_vcpu *v;          /* the vCPU with the id @vcpu */
	unsigned int vcpu;
	enum policy_event event;   /* LOOK after a BOOST */
	struct policy_facts facts; /* less what the profile ignores of the guest's requests */
	uint64_t now_ns;
	struct policy_decision *decision; /* NULL after a BOOST */
	const struct policy_offer *offer; /* with AWAITED; else NULL */
};

/** What it takes here to begin or to end a boost: a timer, a switch and a scheduler call. */
static inline uint64_t vcpu_act_ns(const struct policy *policy)
{
	return pvs_tokens_min_ns(&policy->prices);
}

/** Counts a boost that was denied, or that ended early. */
static inline void vcpu_deny(struct policy_vcpu *v, enum policy_reason reason)
{
	v->view.denied_total[reason]++;
	v->view.denied_sum++;
	v->view.denied_last = reason;
}

/** Plans when the vCPU is looked at again without an event; NSEC_NEVER: it is not. */
void vcpu_look_at(struct turn *t, uint64_t at_ns);

/** Enters a state at a step at which no boost begins or ends. */
void vcpu_enter(struct turn *t, enum policy_state state, enum policy_reason reason);

/** The boost that was decided last has begun: ARMED. */
void vcpu_boost(struct turn *t);

/** That boost has ended, or was refused. */
void vcpu_unboost(struct turn *t, enum boost_end end, enum policy_reason reason);

/** All holds that bind a vCPU: its own and those of all vCPUs. */
uint32_t vcpu_holds(const struct policy *policy, unsigned int vcpu);

/** The reason that a mask of holds, not 0, is given as. */
enum policy_reason vcpu_strongest(uint32_t holds);

/** The hold, the profile or the quota that forbids any boost; WITHIN: none does. */
enum policy_reason vcpu_forbidden(const struct turn *t);

/** A command gave it a boost, and that time is not over. */
bool vcpu_is_commanded(const struct turn *t);

/** Runs or waits to. */
bool vcpu_is_awake(const struct policy_facts *facts);

/** A thread that works for its domain has waited too long behind that domain's vCPUs. */
bool vcpu_starves_helper(const struct policy_facts *facts);

/** How long the refill of so many of its tokens takes. */
uint64_t vcpu_refill_ns(const struct policy_vcpu *v, uint64_t tokens_ns);

/** How many more changes are allowed now. */
unsigned int vcpu_changes_left(const struct turn *t);

/** How long it takes until one more is allowed. */
uint64_t vcpu_change_cost_ns(const struct policy *policy);

/** Counts a change. */
void vcpu_charge_change(struct turn *t);
