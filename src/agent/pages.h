/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What the agent itself writes into the pages, beside the tracer. A page says nothing to the host
 * unless it echoes the host's generation, and nothing of its scheduler unless agent_generation is
 * not 0.
 */

#include "agent/cpus.h"
#include "pvsched/channel.h"

/**
 * Says hello in each page, with the host's nonce; then @generation, with release order.
 * @policy  that the host chose, or the one that is preferred
 */
void pages_store(struct pvsched_page *pages, const struct guest_cpu *cpus, uint32_t n,
                 const struct pvsched_channel_policy *policy, uint64_t generation, uint64_t nonce);

/** The host has chosen this policy. */
void pages_choose(struct pvsched_page *pages, uint32_t n, const char name[32], uint32_t version);

/**
 * Says of each online CPU whose tasks the tracer has seen by now that its words are true, and of an
 * offline one that they are not. Returns of how many online ones nothing was seen yet.
 */
uint32_t pages_announce(struct pvsched_page *pages, const struct guest_cpu *cpus, uint32_t n,
                        uint32_t agent_generation);

/** Each page says nothing any more. */
void pages_clear(struct pvsched_page *pages, uint32_t n);

/** An application's request, its expectation first. @expected_us 0: none. */
void page_request(struct pvsched_page *page, uint64_t tuple, uint32_t sequence,
                  uint32_t expected_us, uint64_t now_ns);

/** The host's line of a CPU, into a page of a program's region. */
void page_line(struct pvsched_page *page, const struct pvsched_channel_vcpu *line,
               uint32_t host_abi_version, uint64_t generation);
