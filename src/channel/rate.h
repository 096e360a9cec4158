/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * How often guests may connect and say hello: each hello has the reader look for pages, each
 * connection takes the main thread. Pure; the time is a parameter.
 */

#include "util/base.h"

/** Of one CID: so many at once, and then one in this time. */
#define CHANNEL_RATE_BURST 8
#define CHANNEL_RATE_NS    (500 * NSEC_PER_MSEC)

/** Of all together: a daemon that starts hears the agents of all domains. */
#define CHANNEL_RATE_ALL_BURST 512
#define CHANNEL_RATE_ALL_NS    (2 * NSEC_PER_MSEC)

/** CIDs that are told apart. */
#define CHANNEL_RATE_CIDS 256

/** Zeroed: nothing happened yet. */
struct channel_rate {
	uint64_t all_due_ns; /* when all that happened is paid for */
	struct {
		uint32_t cid;
		uint64_t due_ns; /* the same of this CID */
	} of[CHANNEL_RATE_CIDS];
};

/**
 * Takes one of @cid. Returns 0, or, if it must wait and was not taken, the time when it is to be
 * tried again.
 */
uint64_t channel_rate_take(struct channel_rate *rate, uint32_t cid, uint64_t now_ns);
