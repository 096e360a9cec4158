/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Messages between the daemon and its reader, one per packet of a SOCK_SEQPACKET socket. Both are
 * of one program, but the reader deals with hostile QEMUs: what it sends is checked like any input
 * from outside, and the daemon's words are checked there as well. No pointers, no text without an
 * end.
 */

#include "guest/carrier.h"
#include "guest/ram.h"
#include "model/labels.h"
#include "model/topology.h"
#include "pvsched/channel.h"
#include "reader/board.h"
#include "util/base.h"
#include "util/thread_id.h"
#include "virt/cmdline.h"

enum reader_job {
	READER_FIND = 1, /* looks for a QEMU's carrier, and begins its region */
	READER_DROP,     /* ends the region, closes the carrier; or forgets an agent's pages */
	READER_CMDLINE,  /* reads the command line */
	READER_VM_CONF,  /* reads Proxmox's configuration of a VM */
	READER_PROVE,    /* looks for the pages of an agent: reader/proof.h */
	_READER_JOB_MAX,
};

/** An object, by what no two have in common. All zero: none. */
struct carrier_object {
	uint64_t device;
	uint64_t inode;
};

/** The pages that an agent claims, and what must stand in them; their generation is the request's.
 */
struct reader_claim {
	uint64_t nonce;            /* not 0 */
	uint32_t agent_generation; /* not 0 */
	uint32_t n_cpus;
	struct pvsched_channel_cpu cpus[PVSCHED_CHANNEL_CPUS_MAX];
};

struct reader_request {
	uint64_t id;                 /* stands in the reply */
	struct thread_id qemu;       /* VM_CONF: zero */
	uint32_t job;                /* enum reader_job */
	uint32_t n_pages;            /* FIND */
	uint32_t ends;               /* DROP: the region, too; else it is only closed */
	uint32_t refused;            /* FIND: @known is another domain's, and never begun */
	struct carrier_object known; /* FIND: if it is this one, nothing is begun */
	uint32_t vmid;               /* VM_CONF */
	uint64_t generation;         /* DROP: nothing happens if the lane has another one; PROVE */
	struct reader_claim claim;   /* PROVE; it is not sent with other jobs */
};

/** What was found in a QEMU. */
struct reader_carrier {
	struct carrier_object object;
	uint64_t size;
	uint64_t address;    /* in QEMU; 0: not known */
	uint64_t generation; /* of the region, begun anew; never 0 */
	uint32_t kind;       /* enum carrier_kind */
	uint32_t sealed;
	uint32_t lane; /* that has it */
	struct topology topology;
};

/** Files that the pages of one guest are in, at most: more are refused. */
#define READER_OBJECTS_MAX 16

/** Where the pages of a claim are. */
struct reader_proof {
	uint64_t generation; /* as in the request */
	uint32_t encryption; /* enum ram_encryption, when that is why they are refused */
	uint32_t n_cpus;     /* as in the claim */
	uint32_t lane;       /* that has them */
	uint32_t n_objects;
	struct topology topology;
	/* the files that are mapped there; none for memory that is on no file */
	struct carrier_object objects[READER_OBJECTS_MAX];
	uint64_t address[PVSCHED_CHANNEL_CPUS_MAX]; /* in QEMU, by their places in the claim; 0: not
	                                               found */
};

struct reader_reply {
	uint64_t id;
	struct thread_id qemu;
	uint32_t job;
	int32_t result; /* 0; FIND: an enum carrier_problem; PROVE: an enum
	                   pvsched_channel_refusal; -errno */
	uint32_t same;  /* FIND: it is the known object still, and @carrier is empty */
	struct reader_carrier carrier;       /* FIND */
	struct cmdline_facts facts;          /* CMDLINE */
	union {                              /* not sent with other jobs */
		struct domain_labels labels; /* VM_CONF */
		struct reader_proof proof;   /* PROVE */
	};
};

/** Bytes that are sent of a request or a reply: many may wait to be read. */
size_t reader_request_size(uint32_t job);
size_t reader_reply_size(uint32_t job);

/**
 * A copy with that many bytes, for free(); what is not sent with its job must not be touched.
 * Returns NULL when memory is out.
 */
struct reader_request *reader_request_copy(const struct reader_request *request);

/** Copies a packet and checks the copy. Returns 0 and *ret, or -EBADMSG. */
int reader_request_parse(const void *packet, size_t size, struct reader_request *ret);
int reader_reply_parse(const void *packet, size_t size, struct reader_reply *ret);

/** Sends a packet without waiting. Returns 0; -EAGAIN when there is no room; -EPIPE; -errno. */
int reader_request_send(int socket, const struct reader_request *request);

/** Sends a packet, and waits for room. Returns 0, or -errno. */
int reader_reply_send(int socket, const struct reader_reply *reply);

/**
 * Receives a packet without waiting.
 * Returns 0; -EAGAIN: there is none; -EPIPE: the other side is gone; -EBADMSG: it was not valid;
 * -errno.
 */
int reader_request_receive(int socket, struct reader_request *ret);
int reader_reply_receive(int socket, struct reader_reply *ret);
