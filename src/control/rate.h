/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* How many requests users may make. Pure; the time is a parameter. */

#include <sys/types.h>

#include "util/base.h"

#define CONTROL_RATE_PER_S 50 /* and as many at once */
#define CONTROL_RATE_USERS 64 /* that are told apart */

/* So many times as long as its requests took the main thread, a user waits: it has a tenth of it.
 */
#define CONTROL_RATE_WAITS 10

/** Zeroed: nothing was asked yet. */
struct control_rate {
	struct {
		uid_t uid;
		uint64_t due_ns; /* when all that was asked is paid for */
	} users[CONTROL_RATE_USERS];
};

/** Counts a request. Returns false if it must wait: it is not counted. Root never waits. */
bool control_rate_take(struct control_rate *rate, uid_t uid, uint64_t now_ns);

/** The request that was taken last for @uid has used @used_ns of CPU time. */
void control_rate_charge(struct control_rate *rate, uid_t uid, uint64_t used_ns, uint64_t now_ns);
