/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
#pragma once

/*
 * The channel between a guest's agent and its host: a stream socket, through which both agree where
 * the guest's pages are, and the host tells what it did. This header is version 1 of the contract;
 * pvsched-protocol(7) explains it. What the guest requests never passes here: its tracer writes
 * that into the pages, which are memory of the guest, and the host reads them there. The host never
 * writes memory of the guest.
 *
 * The guest connects from a port below 1024 to port PVSCHED_CHANNEL_PORT of the host
 *(VMADDR_CID_HOST).
 *
 *	guest                                   host
 *	HELLO: policies, CPUs, addresses   ->
 *	                                   <-   CHALLENGE: generation and nonce, random
 *	  stores both in each page
 *	STORED: the nonce                  ->
 *	                                        finds the pages in QEMU's memory, reads the nonce
 *there
 *	                                   <-   ANSWER: status, policy, pages that were found
 *	                                   <-   STATE: at each change, or every 100 ms while it
 *changes
 *
 * A guest whose CPUs or pages have changed says HELLO again. A host that begins a new generation
 * (a reset or a migration of the guest, a restart of the host's daemon) sends CHALLENGE again, and
 * the guest answers STORED again. What ends the connection ends all requests. Words are
 * little-endian, reserved words are zero. A frame that breaks a rule ends the connection.
 */

#include "pvsched/page.h"

#define PVSCHED_CHANNEL_PORT     967
#define PVSCHED_CHANNEL_PORT_MAX 1023 /* the guest's own port: only root of the guest has such */
#define PVSCHED_CHANNEL_MAGIC    0x43505650U /* the bytes "PVPC" */
#define PVSCHED_CHANNEL_VERSION  1
#define PVSCHED_CHANNEL_SIZE_MAX 65536 /* bytes of a frame, with its head */

#define PVSCHED_CHANNEL_POLICIES_MAX 8
#define PVSCHED_CHANNEL_CPUS_MAX     PVSCHED_REGION_PAGES_MAX

enum pvsched_channel_type {
	PVSCHED_CHANNEL_HELLO = 1,     /* guest: struct pvsched_channel_hello */
	PVSCHED_CHANNEL_CHALLENGE = 2, /* host: struct pvsched_channel_challenge */
	PVSCHED_CHANNEL_STORED = 3,    /* guest: struct pvsched_channel_stored */
	PVSCHED_CHANNEL_ANSWER = 4,    /* host: struct pvsched_channel_answer */
	PVSCHED_CHANNEL_STATE = 5,     /* host: struct pvsched_channel_state */
};

/** Begins each frame. */
struct pvsched_channel_head {
	__u32 magic;
	__u16 version;
	__u16 type; /* enum pvsched_channel_type */
	__u32 size; /* bytes of the frame, with this head */
	__u32 reserved;
};

/** A policy that the guest speaks; the guest prefers the first. */
struct pvsched_channel_policy {
	char name[32]; /* zero padded, not empty */
	__u32 version;
	__u32 reserved;
};

/** One CPU of the guest, and its page. */
struct pvsched_channel_cpu {
	__u32 cpu_index;
	__u32 apic_id;
	__u64 address; /* guest-physical, of the page: a multiple of PVSCHED_PAGE_SIZE */
};

/** Followed by @n_policies and then @n_cpus entries; each cpu_index, apic_id and address once. */
struct pvsched_channel_hello {
	struct pvsched_channel_head head;
	__u32 abi_version; /* of the page: PVSCHED_ABI_VERSION */
	/* not 0; another one at each start of the agent. A page has it as soon as its scheduler's
	 * words count, which may be after the page was proven */
	__u32 agent_generation;
	__u32 n_policies;       /* 1 to PVSCHED_CHANNEL_POLICIES_MAX */
	__u32 n_cpus;           /* online; 1 to PVSCHED_CHANNEL_CPUS_MAX */
	__u64 cs_unavailable;   /* PVSCHED_CS_*: what the guest's tracer cannot see */
	char agent_version[32]; /* zero padded, printable ASCII */
	char kernel[64];        /* of the guest, for display: zero padded, printable ASCII */
	__u64 reserved[2];
};

/** To be stored in each page: the nonce, then the generation as generation_echo, with release
 * order. */
struct pvsched_channel_challenge {
	struct pvsched_channel_head head;
	__u64 generation; /* not 0 */
	__u64 nonce;      /* not 0 */
};

struct pvsched_channel_stored {
	struct pvsched_channel_head head;
	__u64 nonce;
};

/** Why the host uses no pages of this guest. */
enum pvsched_channel_refusal {
	PVSCHED_CHANNEL_SERVED = 0,      /* it uses them */
	PVSCHED_CHANNEL_NO_DOMAIN = 1,   /* the host knows no domain with this guest's CID */
	PVSCHED_CHANNEL_AMBIGUOUS = 2,   /* two domains claim this CID, or have this memory */
	PVSCHED_CHANNEL_NOT_ALLOWED = 3, /* the host's configuration allows this domain no hints */
	PVSCHED_CHANNEL_NOT_FOUND = 4,   /* the nonce was not where the addresses say */
	PVSCHED_CHANNEL_ENCRYPTED = 5,   /* the host cannot read this guest's memory */
	PVSCHED_CHANNEL_HOST_CANNOT = 6, /* the daemon lacks a privilege: see pvschedctl doctor */
	PVSCHED_CHANNEL_TOO_OFTEN = 7,   /* hellos come faster than the host takes them */
	PVSCHED_CHANNEL_NO_POLICY = 8,   /* no policy in common: see status */
};

struct pvsched_channel_answer {
	struct pvsched_channel_head head;
	__u32 status;         /* enum pvsched_status */
	__u32 refusal;        /* enum pvsched_channel_refusal */
	char policy_name[32]; /* the policy that the host chose; if none, the one that it would have
	                       */
	__u32 policy_version;
	__u32 host_abi_version;
	__u32 n_pages; /* that were found */
	__u32 reserved;
	__u64 generation;
};

/** The host's line of one CPU; the words mean what they mean in struct pvsched_page. */
struct pvsched_channel_vcpu {
	__u32 cpu_index;
	__u32 host_cpu;
	__u32 host_flags; /* PVSCHED_HOST_* */
	__u32 status;     /* enum pvsched_status */
	__u64 applied_state;
	__u64 run_delay_ns;
	__u64 boosted_ns;
	__u64 boosts;
	__u64 throttles;
	__u64 published_ns;
};

/** Followed by @n_vcpus entries: those that have changed. */
struct pvsched_channel_state {
	struct pvsched_channel_head head;
	__u64 generation;
	__u32 n_vcpus;
	__u32 reserved;
};

PVSCHED_ASSERT(sizeof(struct pvsched_channel_head) == 16, "head");
PVSCHED_ASSERT(sizeof(struct pvsched_channel_policy) == 40, "policy");
PVSCHED_ASSERT(sizeof(struct pvsched_channel_cpu) == 16, "cpu");
PVSCHED_ASSERT(sizeof(struct pvsched_channel_hello) == 152, "hello");
PVSCHED_ASSERT(sizeof(struct pvsched_channel_challenge) == 32, "challenge");
PVSCHED_ASSERT(sizeof(struct pvsched_channel_stored) == 24, "stored");
PVSCHED_ASSERT(sizeof(struct pvsched_channel_answer) == 80, "answer");
PVSCHED_ASSERT(sizeof(struct pvsched_channel_vcpu) == 64, "vcpu");
PVSCHED_ASSERT(sizeof(struct pvsched_channel_state) == 32, "state");
