/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A vCPU waits for another one of its domain, as far as the tracer can tell: finds the one that it
 * waits for, and has it boosted for a moment. For the booster thread alone.
 */

#include "util/base.h"

struct booster;

/** The slot, which is used from now on, is one of its domain's; it is none any more. */
void helping_join(struct booster *b, unsigned int slot);
void helping_leave(struct booster *b, unsigned int slot);

/**
 * PVS_EVENT_WAITS, with its argument, or a vCPU that spins boosted (@arg 0), which is unboosted
 * first: no two are boosted for one wait.
 */
void helping_waits(struct booster *b, unsigned int waiter, uint32_t arg, uint64_t now_ns);
