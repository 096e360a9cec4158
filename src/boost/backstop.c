// SPDX-License-Identifier: GPL-2.0-or-later
#include "boost/backstop.h"

int backstop_look(struct backstop *backstop, const struct accounts *accounts,
                  const struct boosted_slots *boosted, uint64_t now_ns)
{
	if (now_ns - backstop->looked_ns < BACKSTOP_EVERY_NS)
		return -1;
	backstop->looked_ns = now_ns;
	for (unsigned int i = 0; i < MIN(boosted->n, (unsigned int)BACKSTOP_LOOKS); i++) {
		unsigned int slot = boosted->slots[++backstop->turn % boosted->n];

		if (account_overdrawn_ns(accounts, slot, now_ns) >= BACKSTOP_LATE_NS)
			return (int)slot;
	}
	return -1;
}
