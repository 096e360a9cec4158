/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The booster thread: owns the policy's state and the actuator, and alone calls the scheduler. It
 * sleeps in one system call, see wait.h, until the tracer has an event, the policy a deadline, or
 * the main thread a command. It allocates nothing once it runs, takes no lock, and never logs: what
 * people should know goes to the main thread as a note.
 *
 * All functions are for the main thread. A command is answered within microseconds; one that is not
 * answered in BOOSTER_TIMEOUT_MS means that the thread hangs: the process aborts, so that the
 * guardian acts.
 */

#include "boost/accounts.h"
#include "boost/actuator.h"
#include "boost/canary.h"
#include "boost/pages.h"
#include "policy/policy.h"
#include "util/base.h"
#include "util/cpulist.h"

#define BOOSTER_TIMEOUT_MS 1000

struct booster;

typedef void booster_event_fn(void *userdata, const struct pvs_event *event);

enum {
	BOOSTER_MORE_EVENTS = 1,
};

/** Where tracer events come from. All members may be left 0: then there are none. */
struct booster_source {
	int fd; /* readable when there are events; each of them wakes who waits for it */
	/**
	 * Calls @fn for events that are there. Called by the booster thread.
	 * Returns 0: for all; BOOSTER_MORE_EVENTS: there may be more, and it is called again after
	 * a look at commands and timers, without a wait.
	 */
	int (*drain)(void *source, booster_event_fn *fn, void *userdata);
	void *source;
};

/** How it waits. */
enum booster_wait {
	BOOSTER_WAIT_EPOLL,
	BOOSTER_WAIT_IO_URING, /* where it can be had, else epoll */
};

/** What was measured to be better, see docs/performance.md. */
#define BOOSTER_WAIT_DEFAULT BOOSTER_WAIT_EPOLL

struct booster_options {
	const struct accounts *accounts;
	struct ledger *ledger;
	struct booster_source source;
	struct sched_boost boost;
	struct host_caps caps;
	uint32_t holds; /* of every vCPU, at first */
	enum booster_wait wait;
};

/** What a person or the main thread may want to know. */
enum booster_note_type {
	BOOSTER_NOTE_FOREIGN,   /* somebody changed a boosted thread: left alone */
	BOOSTER_NOTE_REFUSED,   /* the kernel refused RT */
	BOOSTER_NOTE_GONE,      /* a thread is gone: look at the domain again */
	BOOSTER_NOTE_FAILED,    /* a scheduler call failed: @error */
	BOOSTER_NOTE_GUARDIAN,  /* the guardian gave everything back while we were away */
	BOOSTER_NOTE_DEADLINE,  /* many deadlines could not be started: see policy/refusals.h */
	BOOSTER_NOTE_QUOTA,     /* a CFS quota appeared over a vCPU, or went */
	BOOSTER_NOTE_HELLO,     /* a guest page has another status: @error is enum pvsched_status */
	BOOSTER_NOTE_PAGE_LOST, /* a guest page could not be read any more */
	BOOSTER_NOTE_CANARY,    /* ordinary threads did not get to run on the CPU @error */
	BOOSTER_NOTE_HELPER,    /* lowered for a helper of its domain, @error, for the first time */
};

struct booster_note {
	enum booster_note_type type;
	unsigned int slot;
	int error;
};

/** Delays, in the buckets of pvs_wait_bucket(). */
struct booster_delays {
	uint32_t counts[PVS_WAIT_BUCKETS];
	uint64_t max_ns;
};

/** What the booster knows of a slot. */
struct booster_vcpu {
	struct policy_view view;
	uint32_t holds;
	struct booster_delays
	        request_to_applied; /* event of the tracer -> scheduler call returned */
	uint64_t children_mended;
	struct pages_view page;
};

struct booster_totals {
	uint64_t events;           /* of the tracer, handled */
	uint64_t notes_lost;       /* the main thread did not read them in time */
	uint64_t wakeups;          /* returns from the wait */
	uint64_t deadlines_missed; /* boosts that the backstop ended, see backstop.h */
	unsigned int elevated;     /* now */
	enum booster_wait wait;
	int wait_error; /* why not by io_uring, if that was asked for: -errno */
	struct canary_totals canary;
};

/**
 * Starts the thread, at SCHED_FIFO one above boost.priority.
 * Returns 0 and *ret; +BOOSTER_NOT_REALTIME likewise, when the kernel refused that class: then
 * holds must keep every vCPU from being boosted; -errno.
 */
int booster_start(struct booster **ret, const struct booster_options *options);

enum {
	BOOSTER_NOT_REALTIME = 1,
};

/** Lowers everything, ends the thread, frees. Takes NULL; returns NULL. */
struct booster *booster_stop(struct booster *booster);

/** Readable when there are notes. */
int booster_notes_fd(const struct booster *booster);

/** The next note. Returns true and *ret, or false. */
bool booster_next_note(struct booster *booster, struct booster_note *ret);

/**
 * Takes on a thread in an unused slot. @holds as in policy_add().
 * Returns 0; ACTUATOR_GONE; -errno.
 */
int booster_add(struct booster *booster, unsigned int slot, const struct thread_id *thread,
                const struct account_terms *terms, uint32_t holds);

/**
 * Lowers it and lets go of it; afterwards the slot may be used again.
 * Returns 0; -EBUSY when the thread can't be lowered: the slot must not be used again.
 */
int booster_remove(struct booster *booster, unsigned int slot);

/** Another profile, or another slot's domain. */
int booster_set_terms(struct booster *booster, unsigned int slot,
                      const struct account_terms *terms);

/** Sets and clears holds of one slot. */
int booster_hold(struct booster *booster, unsigned int slot, uint32_t set, uint32_t clear);

/** Sets the holds that bind everybody. */
int booster_hold_all(struct booster *booster, uint32_t holds);

/** Looks again at what was believed foreign or refused. */
int booster_rescan(struct booster *booster, unsigned int slot);

/**
 * Gives a slot its guest page, or takes it away (GUEST_PAGE_NULL); the memory must stay until then.
 * @poll: the tracer is not to read it.
 */
int booster_set_page(struct booster *booster, unsigned int slot, const struct guest_page *page,
                     bool poll);

/**
 * Raises it now, awake or not, until @until_ns, while its tokens last. What came of it:
 * booster_read().
 */
int booster_boost(struct booster *booster, unsigned int slot, uint64_t until_ns);

/** New caps of the host. */
int booster_set_caps(struct booster *booster, const struct host_caps *caps);

int booster_read(struct booster *booster, unsigned int slot, struct booster_vcpu *ret);
int booster_read_totals(struct booster *booster, struct booster_totals *ret);

/**
 * Confines the thread to @cpus; the empty set: where the main thread may run. Without this it is
 * where the main thread was at the start.
 * Returns 0; SCHED_CPUS_MISSING: some of them can't be had, it stays where it was; -errno.
 */
int booster_set_cpus(struct booster *booster, const struct cpu_set_bits *cpus);

/** Does it answer? For the watchdog. */
int booster_ping(struct booster *booster);
