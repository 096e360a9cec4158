/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The vCPUs that are elevated on one CPU, for the booster thread alone: who of them makes room, and
 * whether one may go on elsewhere.
 */

#include "boost/booster_thread.h"

/**
 * Who owes most of the elevated vCPUs on the CPU where @running runs; -1: nobody is elevated there.
 * @mates: of those of its domain.
 */
int crowd_debtor(struct booster *b, unsigned int running, bool mates);

/** Has another CPU on which the vCPU may run a burst for it, and can it be displaced from its own?
 */
bool crowd_has_room(struct booster *b, unsigned int slot, uint64_t now_ns);

/**
 * Makes an elevated vCPU leave the CPU where it runs, if that one's bucket is empty: the booster,
 * more urgent, runs there for a moment. Its affinity is its owner's, and is not touched.
 */
void crowd_displace(struct booster *b, unsigned int slot);
