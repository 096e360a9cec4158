/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The pages of a guest's agent, in the guest's RAM. The agent says their guest-physical addresses;
 * a page is believed to be at an address of QEMU's when what the host had the agent store was read
 * there. They are only ever read. Each function may wait for as long as QEMU likes.
 */

#include "reader/board.h"
#include "reader/wire.h"

struct agent_memory;

/**
 * Looks for the pages of a claim, each at RAM_PLACES_MAX places at most.
 * Returns 0, *ret (those found) and what is to be read from now on, which agent_memory_free()
 * frees; PVSCHED_CHANNEL_NOT_FOUND, _ENCRYPTED, _HOST_CANNOT; -ESRCH when the process is gone;
 * -errno.
 */
int proof_make(const struct reader_request *request, struct reader_proof *ret,
               struct agent_memory **memory);

uint64_t agent_memory_generation(const struct agent_memory *memory);

/** Does it have a page at that place in the claim? */
bool agent_memory_has(const struct agent_memory *memory, uint32_t index);

/**
 * Copies the guest's words of a page it has.
 * Returns 0; -ESTALE: another nonce or generation stands there; -errno: it cannot be read.
 */
int agent_memory_read(const struct agent_memory *memory, uint32_t index, struct guest_words *ret);

/** Takes NULL; returns NULL. */
struct agent_memory *agent_memory_free(struct agent_memory *memory);
