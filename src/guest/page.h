/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * One vCPU's page, as the host sees it. The guest's words are read once, each by itself, and judged
 * on the copy. What the host writes is never read back. No function here allocates, blocks or logs,
 * since the booster calls them.
 */

#include <sys/types.h>

#include "core/request.h"
#include "util/base.h"

/** The location of the page, and what the host told its guest. */
struct guest_page {
	struct pvsched_page *memory; /* NULL: not mapped; use @fd */
	int fd;                      /* -1: there is no page */
	uint64_t offset;             /* of the page in @fd */
	uint64_t address;            /* of the page in QEMU's address space; 0: not known */
	uint64_t generation;         /* the guest's hello must hold it; never 0 */
	uint32_t apic_id;            /* of the vCPU; PVSCHED_APIC_ID_NONE: any */
};

#define GUEST_PAGE_NULL ((struct guest_page){.fd = -1})

/** A copy of the guest's hello: what the guest says about itself. */
struct guest_hello {
	uint64_t generation_echo;
	uint32_t abi_version;
	uint32_t policy_version;
	char policy_name[32];
	uint32_t protocol_id;
	uint32_t requested_mode;
	uint32_t apic_id;
	uint32_t cpu_index;
	uint32_t agent_generation;
};

/** Reads the hello. Returns 0, or -errno when the memory is gone (-EIO: shorter than before). */
int guest_page_read_hello(const struct guest_page *page, struct guest_hello *ret);

/** The host's answer to a hello; PVSCHED_STATUS_DISABLED if it is not of this generation. */
enum pvsched_status guest_hello_judge(const struct guest_hello *hello,
                                      const struct guest_page *page);

bool guest_hello_equal(const struct guest_hello *a, const struct guest_hello *b);

/** Writes the answer, status last. Returns 0, or -errno. */
int guest_page_answer(const struct guest_page *page, enum pvsched_status status);

/** Clears the host's words and writes the generation. Returns 0, or -errno. */
int guest_page_begin(const struct guest_page *page);

/** Tells the guest that the host has left. Errors are ignored. */
void guest_page_end(const struct guest_page *page);

/** The host's words to the guest about its vCPU. */
struct guest_snapshot {
	uint64_t applied_state;
	uint64_t run_delay_ns;
	uint64_t boosted_ns;
	uint64_t boosts;
	uint64_t throttles;
	uint64_t published_ns;
	uint32_t host_cpu;
	uint32_t host_flags;
};

/** Writes the snapshot. Returns 0, or -errno. */
int guest_page_publish(const struct guest_page *page, const struct guest_snapshot *snapshot);

/**
 * Reads the page and brings @request up to date.
 * @agent         the words of the guest's scheduler count, too
 * @ran_since_ns  since when the vCPU runs, or last ran; 0: not known
 * Returns 0, or -errno with @request as it was.
 */
int guest_page_read_request(const struct guest_page *page, bool agent, uint64_t ran_since_ns,
                            uint64_t now_ns, struct pvs_request *request);

/** "enabled", "unknown-policy": as in JSON. For any value. */
const char *guest_status_name(enum pvsched_status status);

/** "none", "ordinary", "urgent". */
const char *guest_urgency_name(enum pvsched_urgency urgency);
