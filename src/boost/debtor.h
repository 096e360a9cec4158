/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Picks the vCPU that must make room on a CPU: of the boosted vCPUs there, the one with the largest
 * debt. For the booster thread alone.
 */

#include "boost/accounts.h"
#include "boost/boosted_slots.h"

/**
 * The debtor on the CPU where @running runs; -1: no vCPU is boosted there. Looks at the vCPUs that
 * are on that CPU's list, and at no other.
 */
int debtor_on_cpu(const struct accounts *accounts, const struct boosted_slots *boosted,
                  unsigned int running, uint64_t now_ns);
