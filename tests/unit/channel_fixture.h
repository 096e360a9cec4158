/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Guests that speak to the host through the channel, each a socket pair in place of a vsock. */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "channel/server.h"
#include "hello_fixture.h"

#define GUEST_PORT 700

/** Turns of the loop until nothing is left to do. */
static inline void channel_pump(sd_event *event)
{
	int r;

	while ((r = sd_event_run(event, 0)) > 0)
		;
	CHECK_INT(r, 0);
}

/** A connection from that CID and port, accepted. Returns the guest's end. */
static inline int guest_connect_from(struct channel_server *server, uint32_t cid, uint32_t port)
{
	int fds[2];

	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
	channel_server_take(server, fds[1], cid, port);
	return fds[0];
}

static inline int guest_connect(struct channel_server *server, uint32_t cid)
{
	return guest_connect_from(server, cid, GUEST_PORT);
}

static inline void guest_send(int fd, const void *bytes, size_t size)
{
	CHECK_INT(send(fd, bytes, size, MSG_NOSIGNAL), (intmax_t)size);
}

static inline void guest_hello(int fd)
{
	struct hello_frame f = hello_frame();

	guest_send(fd, &f, sizeof(f));
}

static inline void guest_stored(int fd, uint64_t nonce)
{
	struct pvsched_channel_stored stored = {
	        .head = frame_head(PVSCHED_CHANNEL_STORED, sizeof(stored)), .nonce = nonce};

	guest_send(fd, &stored, sizeof(stored));
}

/** True if the host has closed the connection. Whatever else is there for the guest is dropped. */
static inline bool guest_is_closed(int fd)
{
	char bytes[4096];
	ssize_t n;

	while ((n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0)
		;
	return n == 0 || errno == ECONNRESET;
}

/** Receives the next frame, which must be there, of that type; @frame has room for @size bytes. */
static inline void guest_receive(int fd, enum pvsched_channel_type type, void *frame, size_t size)
{
	struct pvsched_channel_head head;

	CHECK_INT(recv(fd, &head, sizeof(head), MSG_PEEK), sizeof(head));
	CHECK_U64(head.magic, PVSCHED_CHANNEL_MAGIC);
	CHECK_U64(head.version, PVSCHED_CHANNEL_VERSION);
	CHECK_U64(head.type, type);
	CHECK_LE(head.size, size);
	CHECK_INT(recv(fd, frame, head.size, 0), head.size);
}

static inline struct pvsched_channel_answer guest_answer(int fd)
{
	struct pvsched_channel_answer answer;

	guest_receive(fd, PVSCHED_CHANNEL_ANSWER, &answer, sizeof(answer));
	return answer;
}

static inline struct pvsched_channel_challenge guest_challenge(int fd)
{
	struct pvsched_channel_challenge challenge;

	guest_receive(fd, PVSCHED_CHANNEL_CHALLENGE, &challenge, sizeof(challenge));
	CHECK(challenge.generation && challenge.nonce);
	return challenge;
}

/** True if nothing waits for the guest. */
static inline bool guest_has_nothing(int fd)
{
	char byte;

	return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}
