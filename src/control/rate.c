// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/rate.h"

#define COST_NS (NSEC_PER_SEC / CONTROL_RATE_PER_S)

/*
 * The place of a user. A new one takes the place that is paid for first, with its debt: many users
 * gain nothing by pushing each other out.
 */
static size_t place_of(struct control_rate *rate, uid_t uid)
{
	size_t first = 0;

	for (size_t i = 0; i < CONTROL_RATE_USERS; i++) {
		if (rate->users[i].due_ns && rate->users[i].uid == uid)
			return i;
		if (rate->users[i].due_ns < rate->users[first].due_ns)
			first = i;
	}
	rate->users[first].uid = uid;
	return first;
}

bool control_rate_take(struct control_rate *rate, uid_t uid, uint64_t now_ns)
{
	uint64_t due_ns;
	size_t place;

	if (uid == 0)
		return true;
	place = place_of(rate, uid);
	due_ns = MAX(rate->users[place].due_ns, now_ns) + COST_NS;
	if (due_ns > now_ns + NSEC_PER_SEC)
		return false;
	rate->users[place].due_ns = due_ns;
	return true;
}

void control_rate_charge(struct control_rate *rate, uid_t uid, uint64_t used_ns, uint64_t now_ns)
{
	size_t place;

	if (uid == 0 || used_ns * CONTROL_RATE_WAITS <= COST_NS)
		return; /* less than what each request costs anyway */
	place = place_of(rate, uid);
	rate->users[place].due_ns =
	        MAX(rate->users[place].due_ns, now_ns) + used_ns * CONTROL_RATE_WAITS - COST_NS;
}
