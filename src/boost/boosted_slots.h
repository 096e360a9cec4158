/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The slots whose threads are boosted: side by side, in a list per host CPU, and in a list per
 * domain. So what concerns one CPU or one domain costs no look at all of them. Allocates nothing.
 * For the booster thread alone.
 *
 * The list per domain is exact. A vCPU is on the list of the CPU where it was last seen: it was
 * put there when it was boosted, or by boosted_slots_follow(). An entry counts only if its account
 * still names that CPU.
 */

#include "boost/accounts.h"

#define BOOSTED_LISTS_MAX 1024 /* of CPUs, or of domains */

/** At about so many moves a boosted_slots_follow() ends: those of one more word may be added. */
#define BOOSTED_MOVES_MAX 256

struct boosted_link {
	uint16_t next, prev;
};

/** Rings, each through its head: links of the slots, then the heads. */
struct boosted_lists {
	struct boosted_link links[PVS_VCPUS_MAX + BOOSTED_LISTS_MAX];
};

/**
 * In a walk through slots[] from the last one to the first, the one that is looked at may be
 * unboosted, and boosted again.
 */
struct boosted_slots {
	unsigned int n;
	uint16_t slots[PVS_VCPUS_MAX];  /* in no order */
	uint16_t places[PVS_VCPUS_MAX]; /* of a slot in slots[], plus 1; 0: not boosted */
	struct boosted_lists of_cpu, of_domain;
	unsigned int turn; /* the word of accounts::moved that is looked at next */
};

/** All lists are empty. */
void boosted_lists_init(struct boosted_lists *lists);

/** Puts a slot, which is on none of them, at the end of a list; takes it off the one that it is on.
 */
void boosted_list_append(struct boosted_lists *lists, unsigned int list, unsigned int slot);
void boosted_list_remove(struct boosted_lists *lists, unsigned int slot);

/** None is boosted. */
void boosted_slots_init(struct boosted_slots *boosted);

/** Puts a slot at the end of the lists of its account's CPU and domain; takes it off others. */
void boosted_slots_put(struct boosted_slots *boosted, const struct accounts *accounts,
                       unsigned int slot);

/** Takes a slot, which need not be there, off all lists. */
void boosted_slots_drop(struct boosted_slots *boosted, unsigned int slot);

static inline bool boosted_slots_has(const struct boosted_slots *boosted, unsigned int slot)
{
	return boosted->places[slot] != 0;
}

/**
 * Puts those that the tracer saw move on the list of the CPU where they are now. Work is bounded by
 * BOOSTED_MOVES_MAX; what is left is done the next time.
 */
void boosted_slots_follow(struct boosted_slots *boosted, const struct accounts *accounts);

/** The slot that is on the list for longest, the one for shortest, the one after @slot; -1: none.
 */
int boosted_first(const struct boosted_lists *lists, unsigned int list);
int boosted_last(const struct boosted_lists *lists, unsigned int list);
int boosted_next(const struct boosted_lists *lists, unsigned int slot);

/** Is a vCPU of the domain boosted? Helpers that follow are none: core/follow.h. */
bool boosted_has_vcpu(const struct boosted_slots *boosted, const struct accounts *accounts,
                      unsigned int domain);
