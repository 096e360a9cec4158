/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Helpers that follow their vCPUs, in the simulator. */

#include "host.h"
#include "sim.h"

/** A thread that works for a domain, whether it follows or not. */
bool follow_is_helper(const struct host *host, uint32_t thread);

/** Looks at a wait. Returns in how many ns to look again; 0: that is not needed. */
uint64_t follow_look(struct host *host, uint32_t number, uint64_t now);

/** A thread with a slot has left @cpu, and may be a vCPU whose domain waits for helpers there. */
void follow_call(struct host *host, uint32_t vcpu, uint32_t cpu);

/** Adds how the helpers waited that follow in this scenario. */
void follow_count(const struct host *host, struct sim_urgent *ret);

/** NULL: the helpers that follow waited for less; else what is wrong. */
const char *follow_judge(const struct sim_result *result);
