/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* What the files of the policy share; nobody else's. */

#include "policy/policy.h"
#include "policy/timers.h"

struct policy_vcpu {
	bool present;
	struct profile profile;
	uint32_t holds;
	bool caught_awake;   /* raised while it ran: nobody but us watches this run's end */
	bool yielded;        /* it gave its boost back: its tokens are still its own */
	bool yield_declined; /* it would yield, and it is not worth it now */
	bool backs_off;      /* after short halts: no halt is to be told of until it is looked at */
	bool deaf;           /* it called in vain: not heard until it is looked at */
	bool declined;       /* it did not yield in this run: nobody else looks when it may */
	bool raised_ahead;   /* it is being raised at the look that was planned for that */
	uint64_t urgent_from_ns;  /* raised awake, to be urgent from then on; 0: not */
	enum policy_reason why;   /* it is being raised */
	unsigned int vain_calls;  /* of an urgent guest that was not raised for it, in a row */
	unsigned int short_halts; /* in a row */
	unsigned int turned_away; /* in a row, from a shared bucket */
	unsigned int strikes;     /* buckets emptied in a row by steady demand */
	uint64_t raised_at_ns;
	uint64_t backoff_until_ns;
	enum policy_reason backoff_why;
	uint64_t command_until_ns;  /* boosted by command until; 0: not */
	uint64_t rate_repaid_at_ns; /* bucket of changes */
	uint64_t lead_ns;           /* how long before it is expected to be urgent it is raised */
	uint64_t expected_look_ns;  /* the look that was planned for that; 0: none */
	uint64_t interrupt_run_ns;  /* raised for an interrupt: so long it may run; 0: it was not */
	unsigned int interrupt_looks; /* at that run, while it was not over */
	unsigned int spins;           /* given back for spinning, in a row */
	uint64_t spin_until_ns;       /* not raised until then */
	uint64_t displaced_ns;        /* made to leave its CPU last at */
	struct policy_view view;
};

struct policy {
	unsigned int n_vcpus;
	uint32_t holds; /* of everybody */
	struct host_caps caps;
	uint64_t displace_repaid_at_ns; /* bucket of the time that displacing takes */
	struct timers *timers;
	struct policy_vcpu *vcpus;
};

/* policy.c */

/** Plans when it is looked at again without an event. */
void policy_look_at(struct policy *policy, unsigned int vcpu, uint64_t at_ns);

void policy_enter(struct policy_vcpu *v, enum policy_state state, enum policy_reason reason,
                  uint64_t now_ns);

/** The reason that a mask of holds, not 0, is given as. */
enum policy_reason policy_strongest(uint32_t holds);

/** A thread that works for its domain has waited too long behind that domain's vCPUs. */
bool policy_starves_helper(const struct policy_facts *facts);

/** How long the refill of so many tokens takes. */
uint64_t policy_refill_ns(const struct profile *profile, uint64_t tokens_ns);

/** How many more changes are allowed now. */
unsigned int policy_changes_left(const struct policy *policy, const struct policy_vcpu *v,
                                 uint64_t now_ns);

/** When one more is, from now. */
uint64_t policy_change_cost_ns(const struct policy *policy);

/** Counts a change. */
void policy_charge_change(struct policy *policy, struct policy_vcpu *v, uint64_t now_ns);

/* base.c: not elevated */
void policy_consider(struct policy *policy, unsigned int vcpu, enum policy_event event,
                     const struct policy_facts *facts, uint64_t now_ns,
                     struct policy_decision *ret);

/* elevated.c */
void policy_step_elevated(struct policy *policy, unsigned int vcpu, enum policy_event event,
                          const struct policy_facts *facts, uint64_t now_ns,
                          struct policy_decision *ret);

/** Runs whose end nobody else sees are watched by a timer. */
void policy_watch_run(struct policy *policy, unsigned int vcpu, const struct policy_facts *facts,
                      uint64_t now_ns);

/* asks.c */

/** What the profile lets be heard of the guest. */
void policy_hear(const struct profile *profile, struct policy_facts *facts);

/** Awake, and to be raised now: its guest is urgent, or will be at once, or a command says so. */
bool policy_wanted_awake(const struct policy_vcpu *v, enum policy_event event,
                         const struct policy_facts *facts, uint64_t now_ns,
                         enum policy_reason *why);

/** When to look at a vCPU whose guest said when it will be urgent; NSEC_NEVER. */
uint64_t policy_expected_look(const struct policy_vcpu *v, const struct policy_facts *facts,
                              uint64_t now_ns);

/** After how much ordinary work it is worth to yield. */
uint64_t policy_grace_ns(const struct policy_vcpu *v);

/** When its guest may have done that much, as far as can be known. */
uint64_t policy_yield_look(const struct policy_vcpu *v, const struct policy_facts *facts,
                           uint64_t now_ns);

/** It is being raised: from when on its guest will be urgent; 0: it sleeps. */
uint64_t policy_urgent_from(const struct policy_facts *facts, uint64_t now_ns);

/** It was raised at a look that was planned for that: how early the next one must be. */
void policy_learn_lead(struct policy_vcpu *v, uint64_t now_ns);

/** The tokens that its guest needs to be urgent once. */
uint64_t policy_enough_ns(const struct policy_vcpu *v, const struct policy_facts *facts);

/** Elevated and its guest does nothing urgent: true when it is to be lowered for that. */
bool policy_yields(struct policy *policy, unsigned int vcpu, const struct policy_facts *facts,
                   uint64_t now_ns);

/* interrupts.c */

/** When it has tokens to be raised for an interrupt, if it is not raised before; may be past. */
uint64_t policy_interrupts_from(const struct policy_vcpu *v, const struct policy_facts *facts);

/** It waits, an interrupt waits with it, and it can afford to be raised for that. */
bool policy_interrupted(const struct policy_vcpu *v, const struct policy_facts *facts,
                        uint64_t now_ns);

/** How long it may run for that. */
uint64_t policy_interrupt_run_ns(const struct policy_facts *facts);

/** Raised for an interrupt: true when it has had its time. */
bool policy_interrupt_over(struct policy_vcpu *v, const struct policy_facts *facts);

/** When that may be so; NSEC_NEVER: it was not raised for one. */
uint64_t policy_interrupt_look(const struct policy_vcpu *v, const struct policy_facts *facts,
                               uint64_t now_ns);
