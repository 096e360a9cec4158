/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A simulated machine: CPUs, threads that run and sleep, a fair class (groups and threads by weight
 * and virtual run time, slices) under a FIFO class, and an agenda of events. Time is virtual. The
 * same seed gives the same history, of which a hash is kept.
 */

#include "util/base.h"

#include "checker.h"

#define WORLD_SLICE_NS    (3 * NSEC_PER_MSEC) /* of the fair class */
#define WORLD_CPUS_MAX    512
#define WORLD_THREADS_MAX 16384
#define WORLD_PHASES_MAX  4

/** A behaviour for a time: run, sleep, run, ... Each length varies by +-@vary_permille. */
struct phase {
	uint64_t lasts_ns; /* 0: for ever */
	uint64_t run_ns;   /* NSEC_NEVER: spins until the phase ends */
	uint64_t sleep_ns; /* with @periodic: the period */
	uint32_t vary_permille;
	bool periodic;
};

/** What a guest says in its page (guest.h). */
enum request_mode {
	ASK_NONE,        /* it has no page */
	REQUESTS_HONEST, /* it has urgent work, too: says when it does that, and when it will again
	                  */
	REQUESTS_AGENT,  /* honest, by its scheduler: what runs on the CPU; and when a timer is due
	                  */
	REQUESTS_SILENT_AGENT, /* the same, and does not say when */
	REQUESTS_LIAR,         /* always urgent */
	REQUESTS_SHIRKER,      /* always ordinary, and works all the same */
	REQUESTS_TOGGLER,  /* changes its request every few us, also while its vCPU does not run */
	REQUESTS_RANDOM,   /* the same, with wrong words and random expectations */
	REQUESTS_CRITICAL, /* an agent says of what was preempted whether it is critical: waits.h */
};

struct behaviour {
	const char *name;
	struct phase
	        phases[WORLD_PHASES_MAX]; /* in turn, then from the start; run_ns 0 ends the list */
	uint32_t lock_permille; /* of the sleeps, this part waits for a lock in QEMU: no halt */
	enum request_mode requests;
	uint64_t starts_ns;     /* at random within this; 0: a millisecond */
	uint64_t after_ns;      /* and this much later */
	uint64_t tick_every_ns; /* of a vCPU that its guest avoids; 0: ten times a second */
	/* REQUESTS_HONEST, and agents: a timer interrupts the phases' work, which is ordinary, for
	 * urgent work
	 */
	uint64_t urgent_every_ns, urgent_run_ns;
	/* any: a device or another vCPU interrupts it, each time for this much work; 0: never */
	uint64_t interrupt_every_ns, interrupt_run_ns;
	uint64_t spin_every_ns; /* how often it shows spinning while it runs; 0: never */
	/* waits.h: how often it waits for another vCPU, by spinning; 0: never. With
	   @critical_permille for one that is in a critical section, as so many are that are
	   preempted */
	uint64_t waits_every_ns;
	uint32_t critical_permille;
};

struct guest;

struct thread {
	const struct behaviour *behaviour;
	struct guest *guest; /* its page and its urgent work; NULL: neither */
	int vcpu, domain;    /* -1; with a domain and no vCPU: a helper of that domain */
	uint32_t group;
	int only_cpu;     /* -1: it may run on all */
	bool leaves;      /* it must leave its CPU, though nothing more urgent waits there */
	bool observed;    /* traced, and never boosted */
	bool follows;     /* a helper that has a slot, as vCPUs have */
	bool lag_lost;    /* fair again, and not placed since: see world_costs */
	int own_priority; /* its owner's: real-time, not by us */
	int priority;     /* 0: fair; else FIFO */

	enum { THREAD_ASLEEP, THREAD_QUEUED, THREAD_RUNNING } state;
	uint32_t cpu;
	bool halted;       /* asleep in a halt, not in a lock */
	uint64_t left_ns;  /* to run until it sleeps */
	uint64_t ready_ns; /* queued since */
	bool woken;        /* has not run since it woke */
	uint64_t from_ns;  /* runs in this class since */
	uint64_t vruntime;
	int64_t fifo_rank;  /* lowest runs first */
	uint64_t period_ns; /* when the current period began */
	uint64_t phase_ends_ns;
	unsigned int phase;
	uint64_t ran_ns;           /* all CPU time */
	int before, after;         /* world::movable; -1 */
	bool wake_planned;         /* of its ordinary work */
	bool avoided;              /* its guest gives its work to the others */
	uint32_t borne_permille;   /* so much of its own work it does for those besides */
	uint64_t interrupt_due_ns; /* when the first one came that is not served yet; 0: none */
	uint64_t interrupts, interrupt_wait_ns, interrupts_late, interrupt_worst_ns;
	int awaits;               /* the vCPU that it waits for, */
	uint64_t awaits_since_ns; /* since then; 0: it does not */
	uint64_t awaits_ran_ns;   /* until that one has run so long */
};

struct cpu {
	int current; /* thread, -1: idle */
	uint64_t accounted_ns;
	uint64_t slice_ends_ns, protected_until_ns;
	uint64_t generation; /* of the valid entry in the agenda */
	uint64_t *group_vruntime;
	uint32_t *queue; /* the threads that wait here, in the order of their numbers */
	size_t n_queued, queue_capacity;
	uint64_t busy_until_ns; /* with the machine's own work: world_costs, world_take() */
};

/** What the machine's own work takes. Zeroed: nothing does. */
struct world_costs {
	uint64_t switch_ns;   /* to another thread, until that does its own work */
	uint64_t wake_ns;     /* the interrupt that wakes a thread, on that thread's CPU */
	uint64_t protects_ns; /* a fair thread is not preempted by another one before it ran so
	                         long */
	bool loses_lag;       /* a thread that becomes fair again has no credit for its sleep, as in
	                         EEVDF, which takes the lag that it had when it left the class */
};

enum happening {
	HAPPENS_CPU,
	HAPPENS_WAKE,
	HAPPENS_URGENT,
	HAPPENS_DEADLINE,
	HAPPENS_HELPER,
	HAPPENS_BOOSTER,
	HAPPENS_COMMAND,
	HAPPENS_INTERRUPT,
	HAPPENS_SPIN,
	HAPPENS_WAIT,
	HAPPENS_START,
	HAPPENS_LOOK, /* the main thread's: at whether boosts do harm */
};

struct entry {
	uint64_t at_ns;
	uint64_t order; /* entries of the same time: first come, first served */
	enum happening what;
	uint32_t number;
	uint64_t generation;
};

struct agenda {
	struct entry *heap;
	size_t n, capacity;
	uint64_t order;
};

struct world;

/** The observer of the machine: the tracer. @asleep: prev goes to sleep; -1 is idle. */
struct world_hooks {
	void (*switched)(void *userdata, uint32_t cpu, int prev, bool asleep, int next);
	void (*waking)(void *userdata, int thread);
	void (*migrate)(void *userdata, int thread, uint32_t cpu); /* before it is queued there */
	void (*delivered)(void *userdata, int thread);
	void (*spun)(void *userdata, int thread);
	void (*sends)(void *userdata, int from, int to); /* an interrupt of one vCPU to another */
	void *userdata;
};

/** The recorders of what happens: the judges. */
struct world_recorder {
	void (*ran)(void *userdata, const struct run_interval *run); /* one stretch has ended */
	/** A thread begins or ends to run with a real-time class; in the order of time. */
	void (*boosted)(void *userdata, uint64_t at_ns, uint32_t cpu, const struct thread *thread,
	                bool begins);
	void *userdata;
	/** A thread that was woken begins its work, so long after that; NULL: of no interest. */
	void (*waited)(void *userdata, const struct thread *thread, uint64_t wait_ns);
};

/** Threads that wait and may run elsewhere: the longest waiting first. */
struct movable {
	int first, last;
};

struct world {
	uint64_t now_ns;
	uint64_t random;
	uint64_t hash;
	bool print;
	uint32_t n_cpus, n_threads, n_groups;
	size_t threads_capacity;
	struct cpu *cpus;
	struct thread *threads;
	uint64_t idle[WORLD_CPUS_MAX / 64]; /* bits: CPUs that are idle */
	uint64_t fair[WORLD_CPUS_MAX / 64]; /* bits: CPUs that run a fair thread */
	struct movable movable[2];          /* fair, real-time */
	uint64_t *group_seen, seen_stamp;
	struct agenda agenda;
	int64_t fifo_tail, fifo_head;
	struct world_costs costs;
	struct world_hooks hooks;
	struct world_recorder recorder;
};

/** An empty machine. */
void world_init(struct world *world, uint32_t n_cpus, uint64_t seed);
void world_fini(struct world *world);

/** Adds a thread, asleep; before world_start(). It makes pointers to threads invalid. */
void world_add(struct world *world, const struct thread *thread);

/** Wakes all threads for the first time, within the first millisecond. */
void world_start(struct world *world);

/** Puts an entry on the agenda. */
void world_plan(struct world *world, uint64_t at_ns, enum happening what, uint32_t number,
                uint64_t generation);

/** Takes the next entry and sets the time to it; false when there is none before @until_ns. */
bool world_next(struct world *world, uint64_t until_ns, struct entry *ret);

/** HAPPENS_CPU, _WAKE, _URGENT, _INTERRUPT, _SPIN and _WAIT. */
void world_handle(struct world *world, const struct entry *entry);

/** What sched_setscheduler() does: 0 is fair. */
void world_set_priority(struct world *world, uint32_t thread, int priority);

/**
 * A more urgent thread runs for a moment where that real-time thread does: it goes elsewhere, if it
 * can.
 */
void world_push(struct world *world, uint32_t thread);

/** An interrupt, or a thread beyond this machine's, takes so much of a CPU's time from now on. */
void world_take(struct world *world, uint32_t cpu, uint64_t ns);

/** Closes the open intervals, also those of waiting threads. */
void world_end(struct world *world);

/** The fair share that a thread would get on its CPU now, in permille. */
uint32_t world_entitled_permille(struct world *world, uint32_t thread);

/** What runs on the CPU; NULL: nothing, or it is about to sleep. */
const struct thread *world_running(const struct world *world, const struct cpu *c);

/** What interrupted the thread is served first. */
void world_serve_interrupt(struct world *world, struct thread *t);

/** Mixes an event into the hash; prints it when asked to. */
void world_note(struct world *world, const char *what, uint64_t a, uint64_t b);
