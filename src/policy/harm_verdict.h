/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* What follows from pairs of windows: who is let alone, and who comes back. For harm.c. */

#include "policy/harm_sets.h"

uint64_t harm_draw(struct harm *harm, uint64_t least, uint64_t most);

uint64_t harm_late_waits(const uint32_t waits[PVS_WAIT_BUCKETS]);

/** Domains of the set that are not let alone. */
unsigned int harm_count_boosted(const struct set *set);

/** What was counted since the last verdict counts no more. */
void harm_forget(struct set *set);

/** Both windows of a pair are measured: member::waits. */
void harm_judge_pair(struct set *set);

/** Lets domains alone if there are pairs enough, and these say so. */
void harm_test(struct harm *harm, struct set *set, uint64_t now_ns);

/** Those whose time is over. @may_test: what comes of it can be tested soon. */
void harm_come_back(struct set *set, uint64_t now_ns, bool may_test);

/** -1: @with waits are shorter than those without, +1: longer, 0: cannot tell. */
int harm_compare(const uint32_t with[PVS_WAIT_BUCKETS], const uint32_t without[PVS_WAIT_BUCKETS]);

/** Whether @more of @more + @less pairs are so many that chance alone rarely does it. */
bool harm_is_clear(uint32_t more, uint32_t less);
