/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Attention: how much of the booster's own CPU time the events of a domain may take. The booster is
 * SCHED_FIFO, so a domain that keeps it busy takes CPU time from all others. All domains together
 * have the host's share. Half of it is divided among the domains that boost, the same part for
 * each, which no other domain can use up. A domain is heard while there is something left of what
 * all have, or of its part. Otherwise it is *unheard* for a while, twice as long each time that
 * happens soon again: each of its vCPUs is unboosted at its next event, and none of its events that
 * could begin a boost are reported. What ends a boost is always carried out. Pure.
 */

#include "util/base.h"

/** Of one CPU, while so much of it was not used before. */
#define ATTENTION_BURST_NS (4 * NSEC_PER_MSEC)

/** The least burst of a part, whatever the number of domains: a boost and its end must fit. */
#define ATTENTION_PART_BURST_MIN_NS (100 * NSEC_PER_USEC)

/** For so long a domain is unheard, the first time and at most. */
#define ATTENTION_UNHEARD_NS        (8 * NSEC_PER_MSEC)
#define ATTENTION_UNHEARD_SHIFT_MAX 5

/** Heard for so long without a pause, it begins again with the shortest one. */
#define ATTENTION_PROBATION_NS NSEC_PER_SEC

struct attention;

/** @share_permille: of one CPU. Returns NULL when memory is out. */
struct attention *attention_new(unsigned int n_domains, uint32_t share_permille);

/** Takes NULL; returns NULL. */
struct attention *attention_free(struct attention *attention);

void attention_set_share(struct attention *attention, uint32_t share_permille, uint64_t now_ns);

/** A vCPU of @domain that its profile boosts came (+1), or went (-1). */
void attention_count(struct attention *attention, unsigned int domain, int change, uint64_t now_ns);

/** Charges @domain with time that it took the booster. */
void attention_charge(struct attention *attention, unsigned int domain, uint64_t used_ns,
                      uint64_t now_ns);

/** Until when the domain is unheard; 0: it is heard. */
uint64_t attention_unheard_until_ns(const struct attention *attention, unsigned int domain,
                                    uint64_t now_ns);

struct attention_view {
	uint64_t used_ns;       /* of the booster's time, since a vCPU of it is boosted */
	uint64_t unheard_total; /* how often it was not heard for a while, since then */
	bool unheard;
};

void attention_read(const struct attention *attention, unsigned int domain, uint64_t now_ns,
                    struct attention_view *ret);
