/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * One vCPU's page, as the host sees it. The guest's words are read once, into a copy, and judged on
 * that copy. What the host writes is never read back. What reads or writes a page may wait: the
 * file is shared with a QEMU that is not trusted. What judges a copy never waits, since the booster
 * calls it.
 */

#include <sys/types.h>

#include "core/request.h"
#include "util/base.h"

/** Where the page is, and what the host told its guest. */
struct guest_page {
	uint64_t generation; /* the guest's hello must hold it; 0: there is no page */
	uint64_t address;    /* of the page in QEMU's address space; 0: not known */
	uint32_t apic_id;    /* of the vCPU; PVSCHED_APIC_ID_NONE: any */
	uint32_t lane;       /* of the reader, which has the region: see reader/board.h */
	uint32_t index;      /* its place among the pages of the region, or in the agent's claim */
	bool in_ram;         /* an agent's, in the guest's RAM: it is never written */
};

#define GUEST_PAGE_NULL ((struct guest_page){.generation = 0})

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
	uint32_t reserved;
};

/** A copy of all that the guest writes. It has no padding, so copies can be compared as bytes, up
 * to the pulse, which changes where nothing else does. */
struct guest_words {
	struct guest_hello hello;
	uint64_t request;
	uint64_t expect;
	uint64_t written_ns;
	uint64_t task_intent;
	uint64_t cs_state;
	uint64_t pulse;
};

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

/* ---- pure ---- */

/** Takes the words out of a copy of the page's bytes, up to reserved6. */
void guest_words_of(const struct pvsched_page *page, struct guest_words *ret);

/**
 * The host's answer to a hello; PVSCHED_STATUS_DISABLED if it is not of this generation. @policy is
 * what the host says of the policy that it names: ENABLED, UNKNOWN_POLICY or POLICY_VERSION.
 */
enum pvsched_status guest_hello_judge(const struct guest_hello *hello,
                                      const struct guest_page *page, enum pvsched_status policy);

bool guest_hello_equal(const struct guest_hello *a, const struct guest_hello *b);

/**
 * Brings @request up to date by a copy of the page.
 * @generation    that the guest must echo
 * @ran_since_ns  since when the vCPU runs, or last ran; 0: not known
 * @read_ns       when the copy was made
 * @run_ns        how long the vCPU had run in all, then
 */
void guest_words_look(const struct guest_words *words, uint64_t generation, uint64_t ran_since_ns,
                      uint64_t read_ns, uint64_t run_ns, struct pvs_request *request);

/* ---- file I/O: each may wait for as long as QEMU likes ---- */

/** A page in a file. */
struct guest_page_file {
	int fd;
	uint64_t offset; /* of the page */
};

/** Reads the guest's words. Returns 0; -EIO: the file is shorter than before; -errno. */
int guest_page_read(const struct guest_page_file *file, struct guest_words *ret);

/** Writes the answer, status last. Returns 0, or -errno. */
int guest_page_answer(const struct guest_page_file *file, enum pvsched_status status);

/** Clears the host's words and writes the generation. Returns 0, or -errno. */
int guest_page_begin(const struct guest_page_file *file, uint64_t generation);

/** Tells the guest that the host has left. Errors are ignored. */
void guest_page_end(const struct guest_page_file *file);

/** Writes the snapshot. Returns 0, or -errno. */
int guest_page_publish(const struct guest_page_file *file, const struct guest_snapshot *snapshot);

/** "enabled", "unknown-policy": as in JSON. For any value. */
const char *guest_status_name(enum pvsched_status status);

/** "none", "ordinary", "urgent". */
const char *guest_urgency_name(enum pvsched_urgency urgency);
