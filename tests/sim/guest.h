/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The inside of a vCPU: its ordinary work (the phases of its behaviour), the urgent work that
 * interrupts it, and what its guest writes into its page about both, true or not.
 */

#include "pvsched/page.h"
#include "meter.h"
#include "world.h"

#define GUEST_GENERATION 1 /* the generation of all guests' hellos */

struct guest {
	struct pvsched_page page;
	uint64_t clock_behind_ns; /* its monotonic clock, behind the host's */
	uint64_t random; /* its own, so that reading the page does not change the world's */
	uint32_t sequence;
	uint64_t changes_ns; /* when its urgency changes next; not REQUESTS_HONEST */

	/* who is honest */
	bool urgent;             /* does urgent work */
	uint64_t set_aside_ns;   /* ordinary work that was interrupted for it */
	uint64_t due_ns;         /* since when urgent work waits; 0: none does */
	uint64_t next_ns;        /* when there is more */
	uint64_t urgent_jobs;    /* begun */
	uint64_t urgent_wait_ns; /* from due to begun, all together */
	uint64_t urgent_late;    /* waited for longer than GUEST_LATE_NS */
	uint64_t urgent_worst_ns;
	struct delays urgent_waits;
};

#define GUEST_LATE_NS (100 * NSEC_PER_USEC)

/** For a thread whose behaviour makes requests; NULL for others. */
struct guest *guest_new(const struct behaviour *behaviour, uint64_t seed);
struct guest *guest_free(struct guest *guest);

/** It has urgent work, and says what it does. */
bool guest_is_honest(const struct behaviour *behaviour);

/** Updates the words of the page; call it before they are read. */
void guest_speak(struct guest *guest, enum request_mode mode, uint64_t now_ns);

/** The vCPU woke. Returns how long it runs. */
void guest_work_begin(struct world *world, struct thread *t);

/** More ordinary work has come to a vCPU that is awake. */
void guest_work_add(struct world *world, struct thread *t);

/** The vCPU was switched in: it turns to urgent work, and says so in its page. */
void guest_runs(struct world *world, struct thread *t);

/**
 * Its present work is done. Returns true if there is other work, of left_ns; false if it sleeps,
 * with its next wake-up planned.
 */
bool guest_work_end(struct world *world, uint32_t number);

/** Its timer for urgent work is due: plans the next. */
void guest_urgent_due(struct world *world, uint32_t number);
