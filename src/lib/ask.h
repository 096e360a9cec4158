/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
#pragma once

/* A program's end of the socket of the guest's agent (pvsched/agent.h). */

#include <stdint.h>

#include "pvsched/agent.h"

/** A call of this type. */
static inline struct pvsched_agent_call pvsched_ask_call(uint16_t type, uint32_t cpu)
{
	return (struct pvsched_agent_call){
	        .magic = PVSCHED_AGENT_MAGIC,
	        .version = PVSCHED_AGENT_VERSION,
	        .type = type,
	        .cpu = cpu,
	};
}

/** Connects. Each call on the connection waits for @wait_us at most. Returns it, or -errno. */
int pvsched_ask_connect(const char *path, long wait_us);

/**
 * Connects, asks, and waits for the answer. Returns the descriptor that came with it, with its
 * size; *connection stays open. -ENOENT or -ECONNREFUSED: no agent is there; -ETIMEDOUT; -EPROTO;
 * the error of the answer, or another -errno.
 */
int pvsched_ask(const char *path, uint16_t type, long wait_us, int *connection, uint64_t *size);
