/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The standing levers: what a vCPU thread keeps for as long as it is managed, boosted or not: a
 * short slice of the fair class, and a clamp of its utilization. They cost no call per boost, since
 * the kernel keeps both while the thread is real-time.
 *
 * The same rules hold as for boosts: a record in the ledger comes first; the identity of the thread
 * is proven before and after; what another program set, before or since, is left alone.
 *
 * For the main thread. The thread must not be boosted meanwhile: a real-time thread has no slice
 * that can be set.
 */

#include "boost/ledger.h"
#include "core/account.h"
#include "util/base.h"
#include "util/thread_id.h"

struct standing;

struct standing_parts {
	struct ledger *ledger;
	/** What the levers of a thread are set to. Returns 0 and *ret, or -errno; NULL: unknown. */
	int (*read_levers)(void *userdata, pid_t tid, struct pvs_levers *ret);
	void *userdata;
};

enum standing_lever {
	STANDING_SLICE,
	STANDING_CLAMP,
	_STANDING_LEVER_MAX,
};

/** What became of a lever. */
enum standing_state {
	STANDING_NONE,     /* it is not wanted */
	STANDING_GIVEN,    /* the thread has it, unless another program changed it since */
	STANDING_MISSING,  /* this host does not have it: see standing_missing() */
	STANDING_OWN,      /* the thread has one of its own: left alone */
	STANDING_NOT_FAIR, /* the thread is neither SCHED_OTHER nor SCHED_BATCH: left alone */
	STANDING_FAILED,   /* the kernel refused it, or the thread is gone */
};

/** What a thread is to keep. */
struct standing_wanted {
	uint64_t slice_ns; /* SCHED_SLICE_NS_MIN to _MAX; 0: none */
	uint32_t util_min; /* 1 to SCHED_UTIL_MAX; 0: none */
};

/** What is wanted of a slot's thread, and what became of it. */
struct standing_view {
	struct standing_wanted wanted;
	enum standing_state states[_STANDING_LEVER_MAX];
	int errors[_STANDING_LEVER_MAX]; /* with STANDING_FAILED: -errno */
	bool had_reset_on_fork;          /* before */
};

/**
 * Looks what this kernel has, on a thread of its own, and changes nothing. Returns NULL when memory
 * is out.
 */
struct standing *standing_new(const struct standing_parts *parts);

/** Changes no thread. Takes NULL; returns NULL. */
struct standing *standing_free(struct standing *standing);

/** Why no thread can have the lever here; NULL: it can. */
const char *standing_missing(const struct standing *standing, enum standing_lever lever);

/** As standing_set() left it. */
const struct standing_view *standing_view(const struct standing *standing, unsigned int slot);

/** Has the slot's thread SCHED_RESET_ON_FORK from us? */
bool standing_resets_forks(const struct standing *standing, unsigned int slot);

/**
 * Takes back what the thread of a slot has from us, and gives it what is wanted. The threads that
 * it makes do not inherit that. Returns 0, and standing_view() says what came of it; -errno: it
 * still has what it had before.
 */
int standing_set(struct standing *standing, unsigned int slot, const struct thread_id *thread,
                 const struct standing_wanted *wanted);

/**
 * Takes back what the thread of a slot was given. Returns 0 (given back, changed by another
 * program, gone, or there was nothing); -errno: it still has it, and the record stays.
 */
int standing_take_back(struct standing *standing, unsigned int slot);

/**
 * Does the slot's thread, @tid, lack what is wanted and may be there by another try: refused
 * before, its own until a moment ago, or changed by another program since? A slice that was changed
 * is not seen while the thread is real-time.
 */
bool standing_is_short(const struct standing *standing, unsigned int slot, pid_t tid);
