/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The part under test, in the simulated machine: a model of the tracer (statement by statement what
 * bpf/tracer.bpf.c does) and of the booster's loop around the real policy, the real accounts and
 * the real dealings with guest pages.
 */

#include "boost/accounts.h"
#include "boost/boosted_slots.h"
#include "boost/pages.h"
#include "policy/attention.h"
#include "policy/harm.h"
#include "policy/help.h"
#include "policy/policy.h"
#include "core/account.h"
#include "core/demand.h"

#include "machine.h"
#include "world.h"

#define HOST_EVENTS_MAX (PVS_EVENTS_BYTES / 32) /* a record is an event and a header */
#define HOST_PRIORITY   1                       /* of boosts */
#define HOST_APPLY_NS   NSEC_PER_USEC           /* from a decision to its effect */
#define HOST_TIMER_NS   (2 * NSEC_PER_USEC)     /* a timer is late by at most this */

/* Boosts end when a CPU had so much real time in a second: the rest of 700 ms is a margin. */
#define HOST_SHEET_LIMIT_NS (670 * NSEC_PER_MSEC)

/** Deliberate faults: the checker must find each. */
enum mutation {
	MUTATION_NONE,
	MUTATION_NEVER_CHARGE, /* no bucket is ever charged */
	MUTATION_NO_VCPU,      /* the vCPU's bucket is not charged, nor looked at */
	MUTATION_NO_DOMAIN,    /* the domain's is not charged */
	MUTATION_NO_CPU,       /* the host CPU's is not charged */
	MUTATION_NO_DEADLINE,  /* no report that a bucket is empty */
	MUTATION_LATE,         /* the booster takes 20 ms */
	MUTATION_NO_UNBOOST,   /* decisions to unboost are not carried out */
	MUTATION_STATIC_FREE,  /* a vCPU that is real-time by its owner's will is not charged to its
	                          CPU */
	MUTATION_YIELD_FILLS,  /* a vCPU that gives its boost back gets a full bucket */
	MUTATION_YIELD_BLIND,  /* it is boosted again without a look at its tokens */
	MUTATION_LAST_STRETCH, /* of a run with two boosts only the last is charged */
	MUTATION_DEAF,         /* requests of guests are not heard */
	MUTATION_NO_HELPER,    /* helpers are not watched */
	MUTATION_NO_INTERRUPT, /* waiting interrupts are not reported */
	MUTATION_NO_SPIN,      /* spinning guests are not reported */
	MUTATION_STAY,         /* no vCPU leaves a CPU whose bucket is empty */
	MUTATION_HELPER_AGAIN, /* a helper that waits too long is reported at each look */
	MUTATION_UNCHARGED,    /* no domain pays for the booster's time */
	MUTATION_MISCHARGED,   /* the next domain pays */
	MUTATION_NO_SHEET,     /* the host CPU's sheet is not charged */
	MUTATION_FOLLOW_FREE,  /* what a helper that follows runs boosted is not charged to its
	                          domain */
	MUTATION_FOLLOW_DEAF,  /* that such a helper waits is not reported */
	MUTATION_UNTOLD,       /* a deadline that could not be started ends no boost */
	MUTATION_HELPS_NOBODY, /* no vCPU that waits for another one is reported */
	MUTATION_PULSE_UNPAID, /* pulses are charged to nothing but their CPU */
	_MUTATION_MAX,
};

struct host_work {
	unsigned int slot;
	enum policy_event event;
	bool is_call;        /* of the main thread: no domain pays for it */
	unsigned int waiter; /* with AWAITED */
};

/** The timer of a CPU. */
struct cpu_deadline {
	uint64_t due_ns; /* when it fires; 0: it does not run */
	uint64_t in_ns;  /* when a boosted vCPU was last switched in there; 0: never */
	uint32_t slot;   /* that vCPU's */
	uint64_t generation;
	uint64_t acts_ns;   /* when the last start that was queued acts */
	uint32_t lately[8]; /* boosted vCPUs that were switched in there lately: slot + 1 */
};

struct host {
	struct world *world;
	enum mutation mutation;
	bool closed; /* no new boosts: the end of the run */
	uint64_t delay_ns;
	uint64_t random;
	unsigned int n_vcpus;

	/* the maps */
	struct pvs_vcpu_account *vcpus;
	struct pvs_domain_account *domains;
	struct pvs_cpu_account *cpus;
	struct pvs_helper_account *helpers;
	struct pvs_bucket_rule cpu_rule;
	struct pvs_prices prices; /* zeroed: the usual ones */
	struct pvs_moved moved;
	int *helper_of;                          /* of each thread: which helper it is; -1 */
	uint64_t *look_due_ns, *look_generation; /* of helpers */
	uint64_t *reported_ns;                   /* which wait of a helper was reported last */
	struct cpu_deadline *deadlines;          /* of CPUs */
	uint64_t start_late_ns;
	uint32_t refused_permille;
	struct accounts accounts;
	struct pvs_demand demand; /* of the first vCPU */

	/* the ring buffer */
	struct pvs_event events[HOST_EVENTS_MAX];
	size_t first, n_events;
	uint64_t events_lost;

	/* the booster */
	struct policy *policy;
	struct board *board;
	struct pages *pages;
	uint64_t wake_ns, wake_generation; /* when it looks next */
	struct host_work work[2 * PVS_VCPUS_MAX];
	size_t n_work;
	struct policy_decision decision; /* on its way to its effect */
	int deciding;                    /* for which vCPU; -1 */
	struct boosted_slots boosted;
	bool *of_sheet; /* what it was told of last is its CPU's sheet, not a bucket */
	bool *yielded;  /* MUTATION_YIELD_BLIND: its boost was given back */
	uint64_t apply_ns;
	uint64_t calls;  /* scheduler calls */
	uint64_t pushed; /* pushed off a CPU whose bucket was empty */
	uint64_t steps, wakeups;
	uint64_t steps_now, steps_at_ns;

	/* the main thread: compare.c */
	struct harm *harm; /* NULL: nothing is compared */
	uint64_t look_ns, compare_generation;

	/* the booster's time: cost.c */
	struct machine machine;
	struct attention *attention;
	unsigned int n_domains;
	bool charges_cpus;           /* it is real-time run time of the simulated CPUs */
	bool woke;                   /* the wake-up is not charged to a domain yet */
	uint32_t booster_cpu;        /* where it runs since it woke */
	struct host_work spends_for; /* the step that is under way */
	bool was_boosted;            /* before it */
	uint64_t step_ns, scan_ns;   /* what it took so far; looks at lists before it */
	uint64_t busy_ns;            /* all its time */
	uint64_t *caused_ns; /* of that, what events of a domain took, without ends of boosts */
	const char *broken;  /* what went wrong */
};

struct host_options {
	struct profile profile; /* of every vCPU that is not only observed */
	struct host_caps caps;
	uint64_t delay_ns;      /* maximum delay of the booster */
	uint64_t apply_ns;      /* from a decision to its effect */
	bool charges_cpus;      /* the booster's time is real-time run time, as cost.c has it */
	bool polls;             /* the tracer cannot read the guests' pages */
	uint64_t start_late_ns; /* see struct sim_options */
	uint32_t refused_permille;
	enum mutation mutation;
	uint64_t seed;
	const struct machine *machine; /* NULL: cost_usual */
	bool compares;                 /* waits with boosts and without */
	struct pvs_prices prices;      /* zeroed: the usual ones */
	bool follows;                  /* helpers that have slots do; else they are only watched */
};

/**
 * Makes the host. vCPUs are the threads [0, n_vcpus) of the world: slot and thread number are the
 * same. The last of these may be helpers that follow.
 */
struct host *host_new(struct world *world, unsigned int n_vcpus,
                      const struct host_options *options);
struct host *host_free(struct host *host);

/** HAPPENS_DEADLINE, HAPPENS_START, HAPPENS_HELPER and HAPPENS_BOOSTER. */
void host_handle(struct host *host, const struct entry *entry);

/** Sets and clears holds of one vCPU, as the daemon's main thread does. */
void host_set_holds(struct host *host, unsigned int vcpu, uint32_t set, uint32_t clear);

/** Holds one vCPU or lets it go, as the daemon's main thread does for a paused domain. */
void host_hold(struct host *host, unsigned int vcpu, bool hold);

/** Unboosts everything, as at the end of the daemon. */
void host_close(struct host *host);

/* helpers.c */
void helpers_number(struct host *host);
void helpers_watch(struct host *host, uint32_t slot, uint64_t now);
void helpers_charge(struct host *host, uint32_t domain, uint32_t cpu, uint64_t until,
                    uint64_t charge);
void helpers_switch(struct host *host, uint32_t cpu, int prev, bool prev_runnable, int next);
void helpers_waking(struct host *host, int thread);
void helpers_migrate(void *userdata, int thread, uint32_t cpu);
void helpers_looked(struct host *host, const struct entry *entry);

/* crowded.c: a vCPU runs on a CPU that has no tokens left */
void crowded_shed(struct host *host, unsigned int running);
void crowded_make_way(struct host *host, unsigned int running);
void crowded_make_room(struct host *host, unsigned int running);
void crowded_mates_make_room(struct host *host, unsigned int running);
bool crowded_has_room(const struct host *host, unsigned int slot);
void crowded_push(struct host *host, unsigned int slot);

/* helping.c: vCPUs that wait for each other */
void helping_sends(void *userdata, int from, int to);
void helping_spun(struct host *host, uint32_t slot);
struct pvs_vcpu_account *helping_payer(const struct host *host,
                                       const struct pvs_vcpu_account *vcpu);
void helping_charge(struct host *host, uint32_t slot, uint64_t until, uint64_t charge);
void helping_waits(struct host *host, unsigned int waiter, uint32_t arg);
bool helping_offer(const struct host *host, const struct host_work *work, struct policy_offer *ret);

/* cost.c: what the booster's work takes, and which domain pays for it */
extern const struct machine cost_usual;
void cost_wake(struct host *host);
void cost_begin(struct host *host, const struct host_work *work);
void cost_call(struct host *host);
void cost_scan(struct host *host, const struct boosted_lists *lists, uint32_t list);
void cost_end(struct host *host);
void cost_event(struct host *host, unsigned int slot);
uint64_t cost_unheard_until_ns(const struct host *host, unsigned int slot);

/* compare.c: src/daemon/comparing.c on virtual time */
void compare_start(struct host *host);
void compare_step(struct host *host, const struct entry *entry);

/* between tracer.c, helpers.c, crowded.c, host.c and booster.c */
void booster_add_work(struct host *host, unsigned int slot, enum policy_event event);
void booster_add_help(struct host *host, unsigned int awaited, unsigned int waiter);
void booster_add_call(struct host *host, unsigned int slot);
void booster_wake_at(struct host *host, uint64_t at_ns);
void tracer_send(struct host *host, uint32_t slot, uint32_t type, uint32_t arg);
void tracer_attach(struct host *host);
void tracer_foreign(struct host *host, uint32_t cpu, uint64_t ran_ns);
void tracer_deadline(struct host *host, const struct entry *entry);
void tracer_start(struct host *host, const struct entry *entry);
void booster_notify(struct host *host, const struct pvs_event *event);
