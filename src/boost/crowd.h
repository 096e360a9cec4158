/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The vCPUs that are elevated on one CPU, for the booster thread alone: who of them makes room, and
 * whether one may go on elsewhere.
 */

#include "boost/booster_thread.h"

/**
 * Where real-time threads of others, and the booster itself, have had more of a CPU than that,
 * nobody is displaced. The booster takes some hundredths at the most. Over such a time at least, or
 * a few visits would be much of it.
 */
#define CROWD_FOREIGN_PERMILLE 100
#define CROWD_WINDOW_NS        (10 * NSEC_PER_MSEC)

/**
 * Who owes most of the elevated vCPUs on the CPU where @running runs; -1: nobody is elevated there.
 * @mates: of those of its domain.
 */
int crowd_debtor(struct booster *b, unsigned int running, bool mates);

/** Has another CPU on which the vCPU may run a burst for it, and can it be displaced from its own?
 */
bool crowd_has_room(struct booster *b, unsigned int slot, uint64_t now_ns);

/**
 * Where the booster may run, but for visits: @cpus, of which with @anywhere some need not be there.
 * Returns 0; SCHED_CPUS_MISSING and those in @missing; -errno: it stays as it was.
 */
int crowd_set_home(struct booster *b, const struct cpu_set_bits *cpus, bool anywhere,
                   struct cpu_set_bits *missing);

/** If it could not come back from a visit: again. */
void crowd_come_home(struct booster *b);

/**
 * Makes an elevated vCPU leave the CPU where it runs, if that one's bucket is empty: the booster,
 * more urgent, runs there for a moment. Its affinity is its owner's, and is not touched.
 */
void crowd_displace(struct booster *b, unsigned int slot);
