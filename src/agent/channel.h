/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The connection to the host: made, made again with a growing pause, and the frames on it. What the
 * host says is checked here; what it means is the agent's, by struct channel_ops.
 */

#include "agent/events.h"
#include "pvsched/channel.h"
#include "util/frames.h"

#define CHANNEL_WHY_MAX 128

enum channel_state {
	CHANNEL_CLOSED,     /* waits for the next try */
	CHANNEL_CONNECTING, /* the host has not accepted yet */
	CHANNEL_HELLO,      /* said; the host has not sent its challenge */
	CHANNEL_STORED,     /* the nonce is in the pages; the host looks for it */
	CHANNEL_ANSWERED,   /* @answer holds */
};

struct channel_ops {
	/** Writes a hello into @frame of PVSCHED_CHANNEL_SIZE_MAX bytes. Returns 0, or -errno. */
	int (*hello)(void *userdata, struct pvsched_channel_hello *frame);
	/** Stores both in the pages. Returns 0, or -errno: the connection is closed. */
	int (*challenged)(void *userdata, uint64_t generation, uint64_t nonce);
	/** channel->answer is new. */
	void (*answered)(void *userdata);
	/** The host's lines of @n CPUs of this generation. */
	void (*told)(void *userdata, const struct pvsched_channel_vcpu *vcpus, uint32_t n);
	/** The connection is lost, or could not be made: channel->why. It is tried again. */
	void (*lost)(void *userdata);
};

struct channel {
	struct events *events;
	const struct channel_ops *ops;
	void *userdata;
	const char *path; /* of a socket in place of the host; NULL: vsock */
	uint32_t port;

	enum channel_state state;
	struct event socket;
	struct event retry;
	int fd;
	uint32_t tries;             /* that failed since a host answered */
	uint64_t since_ns;          /* when @state began */
	uint64_t generation, nonce; /* of the last challenge; 0: none */
	struct pvsched_channel_answer answer;
	char why[CHANNEL_WHY_MAX]; /* what ended the last connection, for people */
	bool no_transport;         /* there was no vsock at the last try */
	uint64_t connects, states; /* how often connected; frames STATE */
	uint32_t out_size;         /* bytes of @out that are still to be sent */
	_Alignas(8) uint8_t out[2 * PVSCHED_CHANNEL_SIZE_MAX];
	struct frames in;
};

/** Makes a channel; no try is made yet. @path as above. Returns 0, or -errno. */
int channel_init(struct channel *channel, struct events *events, const struct channel_ops *ops,
                 void *userdata, const char *path, uint32_t port);

/** Closes it; nothing is called any more. */
void channel_finish(struct channel *channel);

/** Tries to connect now, unless connected. */
void channel_try(struct channel *channel);

/** Says hello again, where connected: CPUs or pages have changed. */
void channel_hello_again(struct channel *channel);

/** Takes the whole frames that channel->in has. Returns 0; -errno: the connection is to be closed.
 */
int channel_take(struct channel *channel);

/** True: the host uses the pages of this guest. */
bool channel_is_served(const struct channel *channel);

/** "connected", ...; and a sentence for people on a refusal. */
const char *channel_state_name(enum channel_state state);
const char *channel_refusal_name(uint32_t refusal);
const char *channel_refusal_text(uint32_t refusal);

/** After so many failures, how long until the next try. */
uint64_t channel_pause_ns(uint32_t tries);
