/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Behaviours of vCPUs that wait for each other. */

#include "world.h"

/** HAPPENS_WAIT: the vCPU begins to wait, looks whether it must go on to, or has waited. */
void waits_due(struct world *world, uint32_t number);

/** The vCPU is preempted: perhaps in a critical section, as its page says then. */
void waits_preempted(struct world *world, uint32_t number);
