/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Notes of the booster for the main thread: a ring without locks that the booster never waits for.
 * What people should know goes this way, since the booster does not log.
 */

#include <stdatomic.h>

#include "util/base.h"

/** What the main thread should know; and in struct booster_note::arg, else 0: */
enum booster_note_type {
	BOOSTER_NOTE_FOREIGN,   /* another program changed a boosted thread: it was left alone;
	                           1: its owner did, and it was given back what it had */
	BOOSTER_NOTE_REFUSED,   /* the kernel refused RT */
	BOOSTER_NOTE_GONE,      /* a thread is gone: look at the domain again */
	BOOSTER_NOTE_FAILED,    /* a scheduler call failed: -errno */
	BOOSTER_NOTE_GUARDIAN,  /* the guardian gave everything back, and the booster goes on */
	BOOSTER_NOTE_DEADLINE,  /* many deadlines could not be started: see policy/refusals.h */
	BOOSTER_NOTE_LOST,      /* the ring had no room for events: look at all threads again */
	BOOSTER_NOTE_QUOTA,     /* 1: a CFS quota holds for a vCPU; 0: it holds no longer */
	BOOSTER_NOTE_HELLO,     /* a guest page has another status: enum pvsched_status */
	BOOSTER_NOTE_PAGE_LOST, /* a guest page cannot be read any more: enum pages_loss */
	BOOSTER_NOTE_FORK,      /* a vCPU made a thread while it was boosted: its TID */
	BOOSTER_NOTE_TELL, /* there is something for the channel; 1: the state of the vCPU, 0: times
	                      and counts alone */
	BOOSTER_NOTE_DENIED, /* a boost was denied or ended early: see booster_note_denied() */
	BOOSTER_NOTE_HELPER, /* unboosted for a helper of its domain, for the first time: its place
	                      */
};

struct booster_note {
	enum booster_note_type type;
	unsigned int slot;
	int arg;
};

#define NOTES_MAX 2048

/*
 * A QEMU can make thousands of threads a second, and cause other notes, too. So forks leave room
 * for other notes, and these leave room for what concerns the whole host. What the channel is told
 * of each of thousands of vCPUs leaves room, too, and one that has none is not lost: the next is
 * told soon, and nothing is counted.
 */
#define NOTES_FORKS_MAX (NOTES_MAX / 4)
#define NOTES_TELLS_MAX (NOTES_MAX / 2)
#define NOTES_HOST      16

struct notes {
	int fd;                /* eventfd: there are notes */
	_Atomic uint32_t head; /* written by the booster */
	_Atomic uint32_t tail; /* written by the main thread */
	uint64_t lost;         /* booster's: notes for which there was no room */
	struct booster_note ring[NOTES_MAX];
};

/** Returns 0, or -errno. */
int notes_init(struct notes *notes);
void notes_close(struct notes *notes);

/** Booster: leaves a note. */
void notes_add(struct notes *notes, enum booster_note_type type, unsigned int slot, int arg);

/** Main thread: takes the oldest note. Returns true and *ret, or false: there is none. */
bool notes_take(struct notes *notes, struct booster_note *ret);
