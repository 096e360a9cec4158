/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * One vCPU as the policy knows it, and what several files of this room do with it: plan the next
 * look, enter a state, count changes. The bottom of the room:
 *
 *     policy.c            the door
 *     unboosted boosted   what happens to a vCPU; neither needs the other
 *     push                off a CPU whose bucket is empty
 *     request             what the guest requests
 *     interrupt           what an interrupt needs that waits with its vCPU
 *     vcpu                this
 *
 * A file includes only headers of lines below its own.
 */

#include "policy/profile.h"
#include "policy/step.h"
#include "policy/timers.h"

struct policy_vcpu {
	bool present;
	struct profile profile;
	uint32_t holds;
	bool caught_awake;       /* boosted while it ran: only our timer sees the end of that run */
	bool yielded;            /* it was unboosted early: its tokens are still its own */
	bool yield_declined;     /* it would yield, and that is not worth it now */
	bool backs_off;          /* after short halts: no halt is reported before the next look */
	bool deaf;               /* it called in vain: not heard before the next look */
	bool declined;           /* it did not yield in this run: only we look when it may */
	bool raised_ahead;       /* being boosted at the look that was planned for that */
	uint64_t urgent_from_ns; /* boosted awake, to be urgent from then on; 0: not */
	enum policy_reason why;  /* it is being boosted */
	unsigned int
	        vain_calls; /* in a row: its guest said it was urgent, and it was not boosted */
	unsigned int short_halts; /* in a row */
	unsigned int turned_away; /* in a row, since a shared bucket was not full */
	unsigned int strikes;     /* buckets emptied in a row by steady demand */
	uint64_t burst_from_ns;   /* when the boost began that its tokens were for */
	uint64_t backoff_until_ns;
	enum policy_reason backoff_why;
	uint64_t command_until_ns;  /* boosted by command until then; 0: not */
	uint64_t rate_repaid_at_ns; /* bucket of changes */
	uint64_t lead_ns;           /* boosted so long before it is to be urgent; 0: not learned */
	uint64_t expected_look_ns;  /* the look that is planned for that; 0: none */
	uint64_t interrupt_run_ns;  /* boosted for an interrupt, to run for so long; 0: not */
	unsigned int interrupt_looks; /* at that run, while it was not over */
	unsigned int spins;           /* boosts in a row that ended since it spun */
	uint64_t spin_until_ns;       /* not boosted before */
	uint64_t pushed_ns;           /* last pushed off a CPU at */
	struct policy_view view;
};

struct policy {
	unsigned int n_vcpus;
	uint32_t holds; /* of all vCPUs */
	struct host_caps caps;
	uint64_t push_repaid_at_ns; /* bucket of the time that pushes take */
	struct timers *timers;
	struct policy_vcpu *vcpus;
};

/**
 * One step of one vCPU, or what came of a RAISE. A function that takes it const only answers a
 * question.
 */
struct turn {
	struct policy *policy;
	struct policy_vcpu *v; /* the vCPU with the id @vcpu */
	unsigned int vcpu;
	enum policy_event event;   /* LOOK after a RAISE */
	struct policy_facts facts; /* less what the profile ignores of the guest's requests */
	uint64_t now_ns;
	struct policy_decision *decision; /* NULL after a RAISE */
};

/** Plans when the vCPU is looked at again without an event; NSEC_NEVER: it is not. */
void vcpu_look_at(struct turn *t, uint64_t at_ns);

void vcpu_enter(struct turn *t, enum policy_state state, enum policy_reason reason);

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
