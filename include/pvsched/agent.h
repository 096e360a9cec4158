/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
#pragma once

/*
 * The socket of a guest's agent, for programs in the guest: AF_UNIX, SOCK_SEQPACKET. libpvsched(3)
 * uses it; pvsched-protocol(7) explains it. Each message is one struct pvsched_agent_call; it is
 * answered by one struct pvsched_agent_answer, unless it says otherwise. All words are those of
 * this machine.
 *
 * The region that a program gets is laid out as one that an ivshmem device shows: a struct
 * pvsched_region, and a struct pvsched_page for each CPU. The agent writes the lines of the host,
 * as the host told them. It reads the requests of a page when PVSCHED_AGENT_LOOK names its CPU, and
 * only then; with those of other programs they become the request that the host reads. A request
 * lapses a second after that message, and when the connection ends.
 */

#include "pvsched/page.h"

#define PVSCHED_AGENT_SOCKET  "/run/pvsched/agent.sock"
#define PVSCHED_AGENT_MAGIC   0x47415650U /* the bytes "PVAG" */
#define PVSCHED_AGENT_VERSION 1

enum pvsched_agent_type {
	PVSCHED_AGENT_REGION = 1, /* answered with a descriptor of this connection's region */
	PVSCHED_AGENT_LOOK = 2,   /* the request of CPU @cpu has changed; no answer */
	PVSCHED_AGENT_STATUS = 3, /* answered with a descriptor of a report in JSON */
};

struct pvsched_agent_call {
	__u32 magic;
	__u16 version;
	__u16 type; /* enum pvsched_agent_type */
	__u32 cpu;  /* of LOOK: index in the guest; else 0 */
	__u32 reserved;
};

/** With one descriptor as SCM_RIGHTS, if @error is 0. */
struct pvsched_agent_answer {
	__u32 magic;
	__u16 version;
	__u16 type;
	__s32 error; /* 0, or an errno: EACCES, EUSERS (too many connections), ENOMEM, ... */
	__u32 reserved;
	__u64 size; /* bytes of what the descriptor has */
};

PVSCHED_ASSERT(sizeof(struct pvsched_agent_call) == 16, "call");
PVSCHED_ASSERT(sizeof(struct pvsched_agent_answer) == 24, "answer");
