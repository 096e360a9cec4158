/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * One connection to the control socket: frames in, frames out, never blocking. Private to control/.
 */

#include <sys/socket.h>

#include "control/control.h"

struct control_client {
	struct control_server *server; /* whose clients[] it is in */
	int fd;
	sd_event_source *source;
	struct ucred peer;    /* as the kernel recorded it at connect() */
	uint64_t progress_ns; /* when it connected, was answered, or had read the last answer */
	bool eof;             /* it sends no more; what is buffered is still answered */
	bool closing;         /* to be dropped as soon as it has read the answer */
	char *out;            /* one answer, or NULL; owned */
	size_t out_size;
	size_t out_sent;
	bool out_large; /* the memory that it took is worth giving back */
	size_t in_size;
	char in[CONTROL_REQUEST_MAX];
};

/**
 * A client on the connection @fd, which it owns from success on.
 * Returns 0 and *ret, or -errno.
 */
int control_client_new(struct control_client **ret, struct control_server *server, int fd);

/** Closes it; takes NULL; returns NULL. */
struct control_client *control_client_free(struct control_client *client);

/** Bytes of the answer that it has not read. */
size_t control_client_queued(const struct control_client *client);

/**
 * Its turn in the loop: sends what is left of an answer, or receives, and handles at most one
 * request. Sets the events of its source for the next turn. Returns 0, or -errno when it must be
 * dropped: its end, an error, or an answer that found no memory.
 */
int control_client_turn(struct control_client *client, const struct control_ops *ops);
