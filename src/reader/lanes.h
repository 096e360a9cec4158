/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The threads of the reader. A QEMU that has a job or a carrier has a lane: one thread, which does
 * its jobs one after the other and serves its pages. A QEMU that hangs holds up its own lane, and
 * nothing else.
 */

#include "reader/board.h"
#include "reader/wire.h"

struct lanes;

/** Returns 0 and *ret, or -errno. */
int lanes_new(struct lanes **ret, struct board *board);

/**
 * Begins a job; the reply is sent to @socket when it is done. At once, with the result
 * -ETIMEDOUT: a job of this QEMU has been held up for longer than BOARD_STUCK_NS; it is not looked
 * at while it lives. -EBUSY: BOARD_STUCK_MAX others are (not CMDLINE), or there is no lane left.
 * -EAGAIN: no thread, or too many jobs of this QEMU.
 */
void lanes_serve(struct lanes *lanes, const struct reader_request *request, int socket);

/**
 * Ends all regions, so that guests learn that no host is there, and all lanes; waits for
 * @limit_ns at most, since some may be held up. Nothing else may be called afterwards.
 */
void lanes_end(struct lanes *lanes, uint64_t limit_ns);

/** Ends those that have nothing to do, and frees all, if none is left. For tests. */
bool lanes_free(struct lanes *lanes);
