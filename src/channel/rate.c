// SPDX-License-Identifier: GPL-2.0-or-later
#include "channel/rate.h"

/*
 * The place of a CID. A new one takes the place that is paid for first, with its debt: many CIDs
 * gain nothing by pushing each other out.
 */
static size_t place_of(struct channel_rate *rate, uint32_t cid)
{
	size_t first = 0;

	for (size_t i = 0; i < CHANNEL_RATE_CIDS; i++) {
		if (rate->of[i].due_ns && rate->of[i].cid == cid)
			return i;
		if (rate->of[i].due_ns < rate->of[first].due_ns)
			first = i;
	}
	rate->of[first].cid = cid;
	return first;
}

/* When a bucket that is due at @due_ns has room for one more; 0: it has. */
static uint64_t waits_until(uint64_t due_ns, uint64_t now_ns, uint64_t each_ns, uint64_t burst)
{
	return due_ns > now_ns + (burst - 1) * each_ns ? due_ns - (burst - 1) * each_ns : 0;
}

uint64_t channel_rate_take(struct channel_rate *rate, uint32_t cid, uint64_t now_ns)
{
	size_t place = place_of(rate, cid);
	uint64_t own_ns = MAX(rate->of[place].due_ns, now_ns);
	uint64_t all_ns = MAX(rate->all_due_ns, now_ns);
	uint64_t until_ns = waits_until(own_ns, now_ns, CHANNEL_RATE_NS, CHANNEL_RATE_BURST);

	/* one that must wait for itself takes nothing from the others */
	if (until_ns == 0)
		until_ns = waits_until(all_ns, now_ns, CHANNEL_RATE_ALL_NS, CHANNEL_RATE_ALL_BURST);
	if (until_ns)
		return until_ns;
	rate->of[place].due_ns = own_ns + CHANNEL_RATE_NS;
	rate->all_due_ns = all_ns + CHANNEL_RATE_ALL_NS;
	return 0;
}
