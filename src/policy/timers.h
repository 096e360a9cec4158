/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Which vCPU is to be looked at next: a binary heap over small integers, each with at most one
 * time. All memory is taken at the start.
 */

#include "util/base.h"

struct timers;

/** For the numbers below @capacity. NULL when memory is out. */
struct timers *timers_new(unsigned int capacity);

/** Takes NULL; returns NULL. */
struct timers *timers_free(struct timers *timers);

/** Sets the time of @id, in place of an earlier one; NSEC_NEVER takes it out. */
void timers_set(struct timers *timers, unsigned int id, uint64_t at_ns);

/** The time of @id, or NSEC_NEVER. */
uint64_t timers_get(const struct timers *timers, unsigned int id);

/** The earliest time, or NSEC_NEVER; @id, which may be NULL, gets whose it is. */
uint64_t timers_first(const struct timers *timers, unsigned int *id);
