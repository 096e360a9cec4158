/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * One connection to the control socket: lines in, lines out, never blocking. Private to control/.
 */

#include <sys/socket.h>

#include "control/control.h"

struct control_client {
	struct control_server *server; /* has it in its clients[] */
	int fd;
	sd_event_source *source;
	struct ucred peer;    /* as the kernel recorded it at connect() */
	uint64_t progress_ns; /* when it connected, was answered, or had read the last answer */
	bool eof;             /* it sends no more; buffered requests are still answered */
	bool closing;         /* drop it as soon as it has read the answer */
	bool waits;           /* its user asked too often: heard again at the server's next tick */
	char *out;            /* one answer, or NULL; owned */
	size_t out_size;
	size_t out_sent;
	bool out_large; /* the answer took enough memory to return it to the system */
	size_t in_size;
	char in[CONTROL_REQUEST_MAX];
};

/**
 * Makes a client on the connection @fd. On success the client owns @fd.
 * Returns 0 and *ret, or -errno.
 */
int control_client_new(struct control_client **ret, struct control_server *server, int fd);

/** Closes the connection. Takes NULL; returns NULL. */
struct control_client *control_client_free(struct control_client *client);

/** Number of bytes of the answer that are not sent yet. */
size_t control_client_queued(const struct control_client *client);

/** Whether @client's user may make a request now; counts it. */
bool control_server_take(struct control_server *server, const struct control_client *client);

/** The request that was taken last for @client has used @used_ns of CPU time. */
void control_server_charge(struct control_server *server, const struct control_client *client,
                           uint64_t used_ns);

/**
 * The client's turn in the loop. Sends the rest of an answer, or receives, and handles at most one
 * request. Sets the events of its source for the next turn. Returns 0. Returns -errno if the client
 * must be dropped: it has finished, an error occurred, or there was no memory for an answer.
 */
int control_client_turn(struct control_client *client, const struct control_ops *ops);
