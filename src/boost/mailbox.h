/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * How the main thread talks to the booster without locks or allocation: one command at a time,
 * posted and waited for; and a ring of notes the other way that is never waited for.
 */

#include <stdatomic.h>

#include "boost/booster.h"

enum command_type {
	COMMAND_PING,
	COMMAND_ADD,
	COMMAND_REMOVE,
	COMMAND_TERMS,
	COMMAND_HOLD,
	COMMAND_HOLD_ALL,
	COMMAND_RESCAN,
	COMMAND_PAGE,
	COMMAND_BOOST,
	COMMAND_CPUS,
	COMMAND_CAPS,
	COMMAND_READ,
	COMMAND_TOTALS,
	COMMAND_STOP,
};

/** Lives on the main thread's stack until it is answered. */
struct command {
	enum command_type type;
	unsigned int slot;
	const struct account_terms *terms;
	const struct host_caps *caps;
	const struct guest_page *page;
	bool poll;                       /* COMMAND_PAGE */
	uint64_t until_ns;               /* COMMAND_BOOST */
	const struct cpu_set_bits *cpus; /* COMMAND_CPUS */
	bool anywhere;                   /* of @cpus, some of which need not be there */
	struct cpu_set_bits *missing;
	uint32_t set;
	uint32_t clear;
	struct booster_vcpu *vcpu;
	struct booster_totals *totals;
	int result;
};

#define MAILBOX_NOTES 256

struct mailbox {
	int request_fd; /* eventfd: a command is posted */
	int reply_fd;   /* eventfd: it is answered */
	int notes_fd;   /* eventfd: there are notes */
	_Atomic(struct command *) command;
	_Atomic uint32_t notes_head; /* written by the booster */
	_Atomic uint32_t notes_tail; /* written by the main thread */
	uint64_t notes_lost;         /* booster's */
	struct booster_note notes[MAILBOX_NOTES];
};

int mailbox_init(struct mailbox *mailbox);
void mailbox_close(struct mailbox *mailbox);

/** Main thread: posts a command and waits. Returns its result, -ETIMEDOUT, or -errno. */
int mailbox_call(struct mailbox *mailbox, struct command *command);

/** Booster: the command that is posted, or NULL. */
struct command *mailbox_take(struct mailbox *mailbox);

/** Booster: answers it; the command is gone after that. */
void mailbox_answer(struct mailbox *mailbox, struct command *command, int result);

/** Booster: leaves a note; counted in notes_lost when there is no room. */
void mailbox_note(struct mailbox *mailbox, enum booster_note_type type, unsigned int slot,
                  int error);

/** Main thread: takes a note. */
bool mailbox_next_note(struct mailbox *mailbox, struct booster_note *ret);
