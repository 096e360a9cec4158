/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Frames of the channel between a guest's agent and its host (pvsched/channel.h): what arrives on
 * the stream is collected until a frame is whole. Both ends use it, and neither believes the other.
 *
 *	size = recv(fd, frames_space(&frames, &room), room, 0);
 *	frames_added(&frames, size);
 *	while ((r = frames_next(&frames, &head)) > 0)
 *		... a frame of head->size bytes, of a type that this end takes ...
 *	if (r < 0)
 *		... close the connection ...
 */

#include <stdalign.h>

#include "pvsched/channel.h"
#include "util/base.h"

/** Bits of frames::accepts. */
#define FRAMES_OF(type) (1U << (type))

/** What the host takes of a guest, and a guest of its host. */
#define FRAMES_OF_GUEST (FRAMES_OF(PVSCHED_CHANNEL_HELLO) | FRAMES_OF(PVSCHED_CHANNEL_STORED))
#define FRAMES_OF_HOST                                                                             \
	(FRAMES_OF(PVSCHED_CHANNEL_CHALLENGE) | FRAMES_OF(PVSCHED_CHANNEL_ANSWER) |                \
	 FRAMES_OF(PVSCHED_CHANNEL_STATE))

/** The bytes that arrived and were not taken yet. */
struct frames {
	uint32_t accepts; /* FRAMES_OF() the types that this end takes */
	uint32_t taken;   /* bytes at the start that frames_next() returned */
	uint32_t used;    /* bytes that arrived, with those */
	alignas(8) uint8_t bytes[PVSCHED_CHANNEL_SIZE_MAX];
};

/** Begins a connection. */
void frames_init(struct frames *frames, uint32_t accepts);

/** Where the next bytes are to be received; *room > 0 unless the caller let whole frames pile up.
 */
void *frames_space(struct frames *frames, size_t *room);

/** @size bytes were received at frames_space(). */
void frames_added(struct frames *frames, size_t size);

/**
 * Takes the next whole frame. Returns 1 and *ret, aligned to 8 bytes, which stays until the next
 * call of frames_space(); 0: more bytes are needed. -EBADMSG: the head breaks a rule, the
 * connection is to be closed. The head, the type and the size for that type are checked, as soon as
 * the head is there; the rest is the caller's, except that lists of a hello and of a state have the
 * length that their counters say.
 */
int frames_next(struct frames *frames, const struct pvsched_channel_head **ret);

/** The head of a frame of @size bytes. */
struct pvsched_channel_head frame_head(enum pvsched_channel_type type, size_t size);

/** The size that the counters of a whole hello say; and of a state. */
size_t frame_hello_size(const struct pvsched_channel_hello *hello);
size_t frame_state_size(const struct pvsched_channel_state *state);

/** True: printable ASCII, ended by a zero, zero padded. Empty is right, too. */
bool frame_text_valid(const char *text, size_t size);
