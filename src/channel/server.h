/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The host's end of the channel: takes connections of guests, and calls back. All of it is for one
 * thread. Everything is bounded: one connection of a CID, so many of all, frames of 64 KiB, hellos
 * at the rate of rate.h. What comes from no guest, or not from its root, is closed and counted.
 */

#include <systemd/sd-event.h>

#include "channel/peer.h"
#include "util/base.h"

/** More than there are domains: of guests that no domain is known of. */
#define CHANNEL_PEERS_MAX 1088

struct channel_server {
	struct channel_shared shared; /* its counters are for others to read */
	struct channel_peer *peers;
	size_t n_peers;
	bool listens;
	/* private to channel/ */
	sd_event *event;
	sd_event_source *listener;
	sd_event_source *timer;   /* on only while something is due */
	uint64_t timer_ns;        /* then; NSEC_NEVER: it is off */
	uint64_t paused_until_ns; /* nothing is accepted; 0: it is */
	uint32_t rejected;        /* in one go */
	struct channel_rate connects;
};

/**
 * Opens the socket that guests connect to. Returns the descriptor; -EAFNOSUPPORT or -ENODEV: this
 * kernel has no vsock; -errno.
 */
int channel_listen(void);

/** Is it such a socket? */
bool channel_is_listener(int fd);

/** Returns 0 and *ret, or -errno. */
int channel_server_new(struct channel_server **ret, sd_event *event, const struct channel_ops *ops);

/** Closes all, without a call of ops. Takes NULL; returns NULL. */
struct channel_server *channel_server_free(struct channel_server *server);

/** Accepts connections of a listening descriptor, which it owns from now on. Once. */
int channel_server_listen(struct channel_server *server, int fd);

/** Takes a connection that was accepted, and its descriptor; closes it if it must not be. */
void channel_server_take(struct channel_server *server, int fd, uint32_t cid, uint32_t port);
