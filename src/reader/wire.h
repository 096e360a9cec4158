/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Messages between the daemon and its reader, one per packet of a SOCK_SEQPACKET socket. Both are
 * of one program, but the reader deals with hostile QEMUs: what it sends is checked like any input
 * from outside, and the daemon's words are checked there as well. No pointers, no text without an
 * end.
 */

#include "guest/carrier.h"
#include "model/labels.h"
#include "model/topology.h"
#include "reader/board.h"
#include "util/base.h"
#include "util/thread_id.h"
#include "virt/cmdline.h"

enum reader_job {
	READER_FIND = 1, /* looks for a QEMU's carrier, and begins its region */
	READER_DROP,     /* ends the region, closes the carrier */
	READER_CMDLINE,  /* reads the command line */
	READER_VM_CONF,  /* reads Proxmox's configuration of a VM */
	_READER_JOB_MAX,
};

/** An object, by what no two have in common. All zero: none. */
struct carrier_object {
	uint64_t device;
	uint64_t inode;
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
	uint64_t generation;         /* DROP: nothing happens if the lane has another one */
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

struct reader_reply {
	uint64_t id;
	struct thread_id qemu;
	uint32_t job;
	int32_t result; /* 0; FIND: an enum carrier_problem; -errno */
	uint32_t same;  /* FIND: it is the known object still, and @carrier is empty */
	struct reader_carrier carrier; /* FIND */
	struct cmdline_facts facts;    /* CMDLINE */
	struct domain_labels labels;   /* VM_CONF; it is not sent with other jobs */
};

/** Bytes of a reply that are sent: many may wait for the daemon. */
size_t reader_reply_size(uint32_t job);

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
