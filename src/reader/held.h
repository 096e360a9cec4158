/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What a lane of the reader does with its QEMU: looks for the carrier, begins and ends its region,
 * copies and writes its pages, reads the command line. Each function may wait for as long as QEMU
 * likes.
 */

#include "guest/region.h"
#include "reader/board.h"
#include "reader/wire.h"

/** What it holds of its QEMU. Zeroed: nothing. */
struct held {
	struct carrier *carrier; /* NULL: none */
	uint32_t n_pages;
	uint64_t generation;
};

/** Does a job, and fills in what belongs to it in @reply. */
void held_run(struct held *held, const struct reader_request *request, struct reader_reply *reply);

/** Has it the page that is asked for? */
bool held_has(const struct held *held, const struct board_ask *ask);

/** Writes what is to be written (@writes) into that page, and copies the guest's words. */
void held_serve(const struct held *held, const struct board_ask *ask, bool writes,
                struct board_copy *ret);

/** Ends the region, so that guests learn that no host is there, and closes the carrier. */
void held_end(struct held *held);

/** Closes the carrier, and leaves the memory as it is. */
void held_close(struct held *held);
