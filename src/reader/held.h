/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What a lane of the reader does with its QEMU: looks for the carrier, begins and ends its region,
 * copies and writes its pages, reads the command line; proves the pages of its guest's agent, and
 * copies these. Each function may wait for as long as QEMU
 * likes.
 */

#include "guest/region.h"
#include "reader/board.h"
#include "reader/proof.h"
#include "reader/wire.h"

/** What it holds of its QEMU. Zeroed: nothing. */
struct held {
	struct carrier *carrier; /* NULL: none */
	uint32_t n_pages;
	uint64_t generation;
	struct agent_memory *agent; /* NULL: none is proven */
};

/** Does it hold anything? */
bool held_any(const struct held *held);

/** Does a job, and fills in what belongs to it in @reply. */
void held_run(struct held *held, const struct reader_request *request, struct reader_reply *reply);

/** Has it the page that is asked for? */
bool held_has(const struct held *held, const struct board_ask *ask);

/**
 * Writes what is to be written (@writes) into that page, and copies the guest's words. A page of an
 * agent is never written.
 */
void held_serve(const struct held *held, const struct board_ask *ask, bool writes,
                struct board_copy *ret);

/**
 * Ends the region, so that guests learn that no host is there, closes the carrier, and forgets the
 * agent's pages.
 */
void held_end(struct held *held);

/** The same, but the memory is left as it is. */
void held_close(struct held *held);
