/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * One connection of a guest: frames in, frames out, never blocking. What it says is judged by
 * session.h and by the owner of the server; here bytes come and go. Private to channel/, but for
 * what others read.
 */

#include <systemd/sd-event.h>

#include "channel/hello.h"
#include "channel/rate.h"
#include "channel/session.h"

struct channel_peer;
struct frames;

/** Bytes that wait for a guest that does not read. More end the connection. */
#define CHANNEL_QUEUED_MAX (2 * PVSCHED_CHANNEL_SIZE_MAX)

/** What the owner does. None may free a peer; the answer may be given at once or later. */
struct channel_ops {
	/** The guest said hello; what it was answered before counts no more. */
	void (*hello)(void *userdata, struct channel_peer *peer);
	/** It says hello too often: it is heard later, and what it was answered counts no more. */
	void (*late)(void *userdata, struct channel_peer *peer);
	/** It has stored the challenge in its pages: these are to be proven. */
	void (*stored)(void *userdata, struct channel_peer *peer);
	/**
	 * Fills in the present state of its vCPUs that have a page; fastest in the hello's order.
	 * Returns how many, at most @max.
	 */
	uint32_t (*states)(void *userdata, struct channel_peer *peer,
	                   struct pvsched_channel_vcpu *ret, uint32_t max);
	/** The connection is over: after this @peer is gone. */
	void (*gone)(void *userdata, struct channel_peer *peer, const char *why);
	void *userdata;
};

struct channel_counters {
	uint64_t connections;    /* that were taken */
	uint64_t refused_peers;  /* not of a guest, or from no privileged port */
	uint64_t refused_rate;   /* too many */
	uint64_t bad_frames;     /* connections that broke a rule */
	uint64_t hellos;         /* that were taken */
	uint64_t hellos_delayed; /* that had to wait */
};

/** What all peers of a server have in common. */
struct channel_shared {
	struct channel_ops ops;
	struct channel_counters counters;
	struct channel_rate hellos;
	void (*arm)(struct channel_shared *shared, uint64_t at_ns); /* something is due then */
};

struct channel_peer {
	/* for others to read */
	uint32_t cid;
	struct channel_session session;
	const struct channel_hello *hello; /* the last that was taken; NULL: none yet */
	struct channel_policy policy;      /* of the last answer */
	uint64_t frames_sent;              /* and how many frames were received: */
	uint64_t frames_received;
	/* for the owner of the server */
	void *owner;
	/* private to channel/ */
	struct channel_peer *next; /* channel_server::peers */
	struct channel_shared *shared;
	int fd;
	sd_event_source *source;
	struct channel_hello *pending; /* it must wait: too many came */
	uint64_t pending_ns;           /* until then */
	bool late_said;                /* and its guest knows that */
	const char *doomed;    /* why it is closed as soon as nothing uses it; NULL: it is not */
	struct frames *frames; /* what came and was not taken; NULL: nothing */
	uint8_t *out;          /* what waits for the guest; NULL: nothing */
	size_t out_size, out_sent;
	uint64_t progress_ns;              /* when some of it was taken */
	struct pvsched_channel_vcpu *told; /* what the guest knows, by the places in @hello */
};

/** Has the guest store random numbers. Returns 0, or -errno: there are none. */
int channel_challenge(struct channel_peer *peer);

/** What a guest is answered. */
struct channel_verdict {
	enum pvsched_channel_refusal refusal;
	enum pvsched_status status;
	struct channel_policy policy;
	uint32_t n_pages;
};

void channel_answer(struct channel_peer *peer, const struct channel_verdict *verdict);

/** The state of its vCPUs has changed: it is told, see session.h. */
void channel_changed(struct channel_peer *peer, bool at_once);

/** Closes a connection, soon; ops.gone() is called. */
void channel_close(struct channel_peer *peer, const char *why);

/* ---- for server.c ---- */

/** Takes the descriptor over. Returns 0 and *ret, or -ENOMEM. */
int channel_peer_new(struct channel_peer **ret, struct channel_shared *shared, int fd, uint32_t cid,
                     uint64_t now_ns);

/** Closes the connection. Takes NULL; returns NULL. */
struct channel_peer *channel_peer_free(struct channel_peer *peer);

/** Sends a frame, or has it wait. Dooms the connection where that cannot be. */
void channel_peer_send(struct channel_peer *peer, const void *frame, size_t size);

/** Sends what waits. Dooms. */
void channel_peer_flush(struct channel_peer *peer, uint64_t now_ns);

/** Receives what is there, without looking at it. Dooms. */
void channel_peer_receive(struct channel_peer *peer);

/** Takes whole frames, until one must wait, or ends the connection. Dooms. */
void channel_peer_take(struct channel_peer *peer, uint64_t now_ns);

/** Tells the guest what has changed of its vCPUs. */
void channel_peer_tell(struct channel_peer *peer, uint64_t now_ns);

/** Does what is due. Dooms. */
void channel_peer_due(struct channel_peer *peer, uint64_t now_ns);

/** When channel_peer_due() is to be called; NSEC_NEVER: not by the time. */
uint64_t channel_peer_next_ns(const struct channel_peer *peer);
