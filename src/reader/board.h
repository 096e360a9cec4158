/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Memory that booster and reader share: for each slot, what the booster asks of a guest page and
 * has to say to its guest, and the reader's copy of the guest's words. Neither waits for the other.
 * Each text stands under a sequence count, and is taken with one try: a torn copy says nothing, and
 * its writer tells of it when it is whole.
 *
 * A lane is a thread of the reader for one QEMU (reader/lanes.h). Here it has the word that it
 * sleeps on, and the time since when it is held up.
 *
 * The booster's functions allocate nothing, and wait for nothing that a QEMU controls: the memory
 * is the daemon's own, and locked there.
 */

#include "core/account.h"
#include "guest/page.h"
#include "util/base.h"
#include "util/thread_id.h"

struct board;

#define BOARD_SLOTS PVS_VCPUS_MAX
/** As many as there are domains, and some for processes that are not domains yet. */
#define BOARD_LANES (PVS_DOMAINS_MAX + 64)

/** What holds up a lane for longer is taken for stuck. */
#define BOARD_STUCK_NS (2 * NSEC_PER_SEC)
/** With as many lanes held up, no further carrier is looked for; see also reader/line.h. */
#define BOARD_STUCK_MAX 4

/**
 * A page that the booster wants copied, and what its guest is to know. A page is known by its
 * generation and its index.
 */
struct board_ask {
	uint64_t generation;
	uint32_t lane;
	uint32_t index;
	uint32_t writes; /* another number: what follows is new, and is to be written */
	uint32_t status; /* enum pvsched_status */
	struct guest_snapshot snapshot;
};

/** What the reader found. */
struct board_copy {
	uint64_t generation;
	uint64_t read_ns; /* when it was read */
	uint32_t index;
	int32_t result;  /* 0; -ESTALE: the region has another generation; -errno: the memory is
	                    gone; and @words mean nothing */
	uint32_t writes; /* as in the ask; what was to be written then is written */
	uint32_t reserved;
	struct guest_words words;
};

/* ---- its life ---- */

/** Makes the memory, which a reader maps by board_memory_fd(). Returns 0 and *ret, or -errno. */
int board_new(struct board **ret);

/**
 * Maps the memory that another process made; takes over both descriptors, also on failure.
 * Returns 0 and *ret; -EINVAL when it is no board; -errno.
 */
int board_map(struct board **ret, int memory_fd, int news_fd);

/** Takes NULL; returns NULL. */
struct board *board_free(struct board *board);

int board_memory_fd(const struct board *board);

/** Readable for the booster when a copy has changed. */
int board_news_fd(const struct board *board);

/* ---- the booster's ---- */

/** Leaves @ask, which replaces an earlier one, and wakes the lane if it sleeps. */
void board_post(struct board *board, unsigned int slot, const struct board_ask *ask);

/**
 * Leaves @ask for the main thread alone, see board_said(): no lane is called. For a page that is
 * never written.
 */
void board_say(struct board *board, unsigned int slot, const struct board_ask *ask);

/** The main thread's: what was posted or said last of a slot. Returns false if it is torn. */
bool board_said(const struct board *board, unsigned int slot, struct board_ask *ret);

/**
 * Takes the slot's copy, if it is another than the one that set *@seen, 0 at first.
 * Returns false when there is none, or when it is being written.
 */
bool board_take(const struct board *board, unsigned int slot, uint32_t *seen,
                struct board_copy *ret);

/** Makes board_news_fd() wait again. To be called before board_next_news(). */
void board_news_begin(struct board *board);

/** A slot, from *@from on, whose copy has changed; each once. Returns -1 when there is none. */
int board_next_news(struct board *board, unsigned int *from);

/* ---- the reader's ---- */

/**
 * The next ask for @lane, from the slot *@from on. One that is being written is left alone.
 * Returns true with *slot and *ret, or false.
 */
bool board_next_ask(struct board *board, unsigned int lane, unsigned int *from, unsigned int *slot,
                    struct board_ask *ret);

/** True if what @ask says is written already. One thread at a time, as board_put(). */
bool board_is_written(const struct board *board, unsigned int slot, const struct board_ask *ask);

/**
 * Replaces the slot's copy, and tells the booster if guest or memory have changed. A copy of a page
 * that the booster does not ask for any more is dropped. One thread at a time calls this.
 */
void board_put(struct board *board, unsigned int slot, const struct board_copy *copy);

/* ---- lanes ---- */

/** To be read before looking for work, and given to board_lane_sleep(). */
uint32_t board_lane_calls(const struct board *board, unsigned int lane);

/** Sleeps, unless the lane was called since @calls was read. May return early. */
void board_lane_sleep(struct board *board, unsigned int lane, uint32_t calls);

/** Wakes it. */
void board_lane_call(struct board *board, unsigned int lane);

/** The lane is @qemu's from now on. */
void board_lane_begin(struct board *board, unsigned int lane, const struct thread_id *qemu);

/** The lane begins or ends (@now_ns 0) something that may hold it up. */
void board_lane_set_busy(struct board *board, unsigned int lane, uint64_t now_ns);

/** Is it held up for longer than BOARD_STUCK_NS? */
bool board_lane_is_stuck(const struct board *board, unsigned int lane, uint64_t now_ns);

/** How many are; the first @max of their QEMUs. */
unsigned int board_stuck(const struct board *board, uint64_t now_ns, pid_t *pids, unsigned int max);

/** Does a lane work for @qemu at this moment? */
bool board_works_for(const struct board *board, const struct thread_id *qemu);

/** Forgets the lanes of a reader that is gone. */
void board_forget_lanes(struct board *board);
