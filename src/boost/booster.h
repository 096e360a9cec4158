/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The booster thread: it owns the policy's state and the actuator, and no other thread changes the
 * scheduling of a vCPU. It sleeps in one system call, see wait.h, until the tracer has an event,
 * the policy a deadline, or the main thread a call. Once it runs it allocates nothing, takes no
 * lock, and never logs: what people should know goes to the main thread as a note.
 *
 * All functions are for the main thread. Those that ask something of the running thread are calls,
 * see call.h, which it answers within microseconds. If it does not answer for CALL_TIMEOUT_MS it
 * hangs, and vCPUs may stay boosted: the process aborts, so that the guardian acts.
 */

#include "boost/accounts.h"
#include "boost/actuator.h"
#include "boost/booster_view.h"
#include "boost/event_source.h"
#include "boost/notes.h"
#include "boost/wait.h"
#include "guest/page.h"
#include "policy/policy.h"
#include "util/base.h"
#include "util/cpulist.h"

struct board;
struct booster;

struct booster_options {
	const struct accounts *accounts;
	struct ledger *ledger;
	struct board *board; /* shared with the reader of guest pages; must outlive the booster */
	struct booster_source source;
	struct sched_boost boost;
	struct host_caps caps;
	uint32_t holds; /* of every vCPU, at first */
	enum booster_wait wait;
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

/** Ends all boosts, ends the thread, frees. Takes NULL; returns NULL. */
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
 * Ends its boost and lets go of the thread; afterwards the slot may be used again.
 * Returns 0; -EBUSY when the boost cannot be ended: the slot must not be used again.
 */
int booster_remove(struct booster *booster, unsigned int slot);

/** Another profile, or another slot's domain. */
int booster_set_terms(struct booster *booster, unsigned int slot,
                      const struct account_terms *terms);

/** Sets and clears holds of one slot. */
int booster_hold(struct booster *booster, unsigned int slot, uint32_t set, uint32_t clear);

/** Sets the holds of all slots. */
int booster_hold_all(struct booster *booster, uint32_t holds);

/** Looks again at a vCPU that was changed by others, or refused by the kernel. */
int booster_rescan(struct booster *booster, unsigned int slot);

/**
 * Gives a slot its guest page, or takes it away (GUEST_PAGE_NULL). @poll: the tracer is not to read
 * it.
 */
int booster_set_page(struct booster *booster, unsigned int slot, const struct guest_page *page,
                     bool poll);

/** Tells the guest to avoid the vCPU, or not to. */
int booster_set_avoid(struct booster *booster, unsigned int slot, bool avoid);

/**
 * Boosts the vCPU now, awake or not, until @until_ns, while its tokens last. booster_read() tells
 * what came of it.
 */
int booster_boost(struct booster *booster, unsigned int slot, uint64_t until_ns);

/** New caps of the host. */
int booster_set_caps(struct booster *booster, const struct host_caps *caps);

/**
 * What the booster knows of a vCPU, and of all. Wakes it only if it is awake all the time. Returns
 * 0, or -errno.
 */
int booster_read(struct booster *booster, unsigned int slot, struct booster_vcpu *ret);
int booster_read_domain(struct booster *booster, unsigned int domain, struct attention_view *ret);
int booster_read_totals(struct booster *booster, struct booster_totals *ret);

/**
 * Confines the thread to @cpus; with the empty set, to where the main thread may run, as at the
 * start.
 * Returns 0; SCHED_CPUS_MISSING: some of them are not available, and nothing has changed; -errno.
 */
int booster_set_cpus(struct booster *booster, const struct cpu_set_bits *cpus);

/** Has the next boost that is denied, or ends early, noted: once. */
int booster_note_denied(struct booster *booster);

/** Does it answer? For the watchdog. */
int booster_ping(struct booster *booster);
