// SPDX-License-Identifier: GPL-2.0-or-later
#include "boost/backstop.h"

int backstop_look(const struct accounts *accounts, const struct raised *raised, unsigned int *turn,
                  uint64_t now_ns)
{
	for (unsigned int i = 0; i < MIN(raised->n, (unsigned int)BACKSTOP_LOOKS); i++) {
		unsigned int slot = raised->slots[++*turn % raised->n];

		if (account_overdrawn_ns(accounts, slot, now_ns) >= BACKSTOP_LATE_NS)
			return (int)slot;
	}
	return -1;
}
