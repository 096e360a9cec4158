// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/channel.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "agent/connect.h"
#include "util/cleanup.h"
#include "util/clock.h"

/*
 * A daemon that is restarted, or a guest that was moved, is back within a second, so for ten
 * seconds the tries are close together. Then they cost a guest without a host one wake-up in half a
 * minute.
 */
#define PAUSE_MIN_NS (250 * NSEC_PER_MSEC)
#define PAUSE_MAX_NS (30 * NSEC_PER_SEC)
#define CLOSE_TRIES  40

static const char *const state_names[] = {
        [CHANNEL_CLOSED] = "closed", [CHANNEL_CONNECTING] = "connecting", [CHANNEL_HELLO] = "hello",
        [CHANNEL_STORED] = "stored", [CHANNEL_ANSWERED] = "answered",
};

static const struct {
	const char *name, *text;
} refusals[] = {
        [PVSCHED_CHANNEL_SERVED] = {"served", "the host uses this guest's hints"},
        [PVSCHED_CHANNEL_NO_DOMAIN] = {"no-domain",
                                       "the host knows no machine with this guest's CID"},
        [PVSCHED_CHANNEL_AMBIGUOUS] = {"ambiguous",
                                       "two machines of the host claim this guest's CID"},
        [PVSCHED_CHANNEL_NOT_ALLOWED] = {"not-allowed",
                                         "the host's configuration allows this guest no hints"},
        [PVSCHED_CHANNEL_NOT_FOUND] = {"not-found",
                                       "the host did not find the pages in this guest's memory"},
        [PVSCHED_CHANNEL_ENCRYPTED] = {"encrypted", "the host cannot read this guest's memory"},
        [PVSCHED_CHANNEL_HOST_CANNOT] = {"host-cannot",
                                         "the host's daemon lacks a privilege: pvschedctl "
                                         "doctor there says which"},
        [PVSCHED_CHANNEL_TOO_OFTEN] = {"too-often", "hellos come faster than the host takes them"},
        [PVSCHED_CHANNEL_NO_POLICY] = {"no-policy", "the host has no policy that this agent "
                                                    "speaks"},
};

const char *channel_state_name(enum channel_state state)
{
	return state_names[state];
}

const char *channel_refusal_name(uint32_t refusal)
{
	return refusal < ARRAY_SIZE(refusals) ? refusals[refusal].name : "unknown";
}

const char *channel_refusal_text(uint32_t refusal)
{
	return refusal < ARRAY_SIZE(refusals)
	               ? refusals[refusal].text
	               : "the host gave a reason that this agent does not know";
}

uint64_t channel_pause_ns(uint32_t tries)
{
	uint64_t pause_ns = PAUSE_MIN_NS;

	for (; tries > CLOSE_TRIES && pause_ns < PAUSE_MAX_NS; tries--)
		pause_ns *= 2;
	return MIN(pause_ns, PAUSE_MAX_NS);
}

bool channel_is_served(const struct channel *channel)
{
	return channel->state == CHANNEL_ANSWERED &&
	       channel->answer.refusal == PVSCHED_CHANNEL_SERVED;
}

static void enter(struct channel *channel, enum channel_state state)
{
	channel->state = state;
	channel->since_ns = clock_now_ns();
}

/* Ends the connection, if there is one, and tries again after a pause. */
static void lose(struct channel *channel, const char *what, int error)
{
	snprintf(channel->why, sizeof(channel->why), "%s%s%s", what, error ? ": " : "",
	         error ? strerror(-error) : "");
	event_remove(channel->events, &channel->socket);
	channel->fd = close_fd(channel->fd);
	channel->out_size = 0;
	channel->generation = channel->nonce = 0;
	channel->answer = (struct pvsched_channel_answer){0};
	enter(channel, CHANNEL_CLOSED);
	channel->tries++;
	event_timer_set(&channel->retry, clock_now_ns() + channel_pause_ns(channel->tries));
	channel->ops->lost(channel->userdata);
}

/* Sends what fits. Returns 0, or -errno: the connection is to be given up. */
static int flush(struct channel *channel)
{
	uint32_t sent = 0;

	while (sent < channel->out_size) {
		ssize_t n = send(channel->fd, channel->out + sent, channel->out_size - sent,
		                 MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN)
			return -errno;
		if (n <= 0)
			break;
		sent += (uint32_t)n;
	}
	channel->out_size -= sent;
	memmove(channel->out, channel->out + sent, channel->out_size);
	return event_change(channel->events, &channel->socket,
	                    EPOLLIN | (channel->out_size ? EPOLLOUT : 0));
}

static int send_hello(struct channel *channel)
{
	struct pvsched_channel_hello *hello = (void *)(channel->out + channel->out_size);
	int r;

	/* frames are multiples of 8 bytes, but a part of one may have been sent */
	if (channel->out_size % 8 || channel->out_size > PVSCHED_CHANNEL_SIZE_MAX)
		return -ENOBUFS;
	r = channel->ops->hello(channel->userdata, hello);
	if (r < 0)
		return r;
	channel->out_size += hello->head.size;
	enter(channel, CHANNEL_HELLO);
	return flush(channel);
}

static int send_stored(struct channel *channel)
{
	struct pvsched_channel_stored stored = {
	        .head = frame_head(PVSCHED_CHANNEL_STORED, sizeof(stored)),
	        .nonce = channel->nonce,
	};

	if (channel->out_size + sizeof(stored) > sizeof(channel->out))
		return -ENOBUFS;
	memcpy(channel->out + channel->out_size, &stored, sizeof(stored));
	channel->out_size += sizeof(stored);
	enter(channel, CHANNEL_STORED);
	return flush(channel);
}

static int take_challenge(struct channel *channel, const struct pvsched_channel_challenge *frame)
{
	int r;

	if (!frame->generation || !frame->nonce)
		return -EBADMSG;
	channel->generation = frame->generation;
	channel->nonce = frame->nonce;
	r = channel->ops->challenged(channel->userdata, frame->generation, frame->nonce);
	return r < 0 ? r : send_stored(channel);
}

static int take_answer(struct channel *channel, const struct pvsched_channel_answer *frame)
{
	if (!channel->generation && frame->refusal == PVSCHED_CHANNEL_SERVED)
		return -EBADMSG;
	if (!frame_text_valid(frame->policy_name, sizeof(frame->policy_name)) || frame->reserved)
		return -EBADMSG;
	/* a challenge that crossed it on the way counts, and is answered anew */
	if (channel->generation && frame->generation != channel->generation &&
	    frame->refusal == PVSCHED_CHANNEL_SERVED)
		return 0;
	channel->answer = *frame;
	channel->tries = 0;
	enter(channel, CHANNEL_ANSWERED);
	channel->ops->answered(channel->userdata);
	return 0;
}

static int take_state(struct channel *channel, const struct pvsched_channel_state *frame)
{
	if (frame->reserved)
		return -EBADMSG;
	channel->states++;
	if (channel_is_served(channel) && frame->generation == channel->generation)
		channel->ops->told(channel->userdata, (const void *)(frame + 1), frame->n_vcpus);
	return 0;
}

static int take(struct channel *channel, const struct pvsched_channel_head *head)
{
	switch ((enum pvsched_channel_type)head->type) {
	case PVSCHED_CHANNEL_CHALLENGE:
		return take_challenge(channel, (const void *)head);
	case PVSCHED_CHANNEL_ANSWER:
		return take_answer(channel, (const void *)head);
	case PVSCHED_CHANNEL_STATE:
		return take_state(channel, (const void *)head);
	case PVSCHED_CHANNEL_HELLO:
	case PVSCHED_CHANNEL_STORED:
		break;
	}
	return -EBADMSG;
}

int channel_take(struct channel *channel)
{
	const struct pvsched_channel_head *head;
	int r;

	while ((r = frames_next(&channel->in, &head)) > 0) {
		r = take(channel, head);
		if (r < 0)
			return r;
	}
	return r;
}

/* Receives once, and takes what is whole. Returns 0, or -errno; -ECONNRESET: the host closed. */
static int receive(struct channel *channel)
{
	size_t room;
	void *space = frames_space(&channel->in, &room);
	ssize_t n = recv(channel->fd, space, room, MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (n == 0)
		return -ECONNRESET;
	frames_added(&channel->in, (size_t)n);
	return channel_take(channel);
}

static void on_socket(void *userdata, uint32_t epoll_events)
{
	struct channel *channel = userdata;
	int r = 0;

	if (channel->state == CHANNEL_CONNECTING) {
		r = connect_result(channel->fd);
		if (r < 0) {
			lose(channel, "the host does not accept a connection", r);
			return;
		}
		channel->connects++;
		r = send_hello(channel);
	} else if (epoll_events & EPOLLOUT) {
		r = flush(channel);
	}
	if (r == 0 && (epoll_events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
		r = receive(channel);
	if (r == -EBADMSG)
		lose(channel, "the host sent a frame that breaks the protocol", 0);
	else if (r == -ECONNRESET)
		lose(channel, "the host closed the connection", 0);
	else if (r < 0)
		lose(channel, "the connection failed", r);
}

void channel_try(struct channel *channel)
{
	int fd, r;

	if (channel->state != CHANNEL_CLOSED)
		return;
	event_timer_set(&channel->retry, NSEC_NEVER);
	fd = channel->path ? connect_unix(channel->path) : connect_vsock(channel->port);
	channel->no_transport = fd == -ENODEV || fd == -EAFNOSUPPORT || fd == -EADDRNOTAVAIL;
	if (fd < 0) {
		lose(channel,
		     channel->path           ? "no connection to the socket"
		     : channel->no_transport ? "this machine has no vsock device"
		                             : "no connection to the host",
		     fd);
		return;
	}
	channel->fd = fd;
	frames_init(&channel->in, FRAMES_OF_HOST);
	enter(channel, CHANNEL_CONNECTING);
	r = event_add(channel->events, &channel->socket, fd, EPOLLIN | EPOLLOUT, on_socket,
	              channel);
	if (r < 0)
		lose(channel, "the connection cannot be waited for", r);
}

static void on_retry(void *userdata, uint32_t epoll_events)
{
	struct channel *channel = userdata;

	(void)epoll_events;
	event_timer_done(&channel->retry);
	channel_try(channel);
}

void channel_hello_again(struct channel *channel)
{
	int r;

	if (channel->state < CHANNEL_HELLO)
		return;
	r = send_hello(channel);
	if (r < 0)
		lose(channel, "hello could not be said again", r);
}

int channel_init(struct channel *channel, struct events *events, const struct channel_ops *ops,
                 void *userdata, const char *path, uint32_t port)
{
	memset(channel, 0, sizeof(*channel));
	channel->events = events;
	channel->ops = ops;
	channel->userdata = userdata;
	channel->path = path;
	channel->port = port;
	channel->fd = -1;
	channel->socket = EVENT_NULL;
	channel->since_ns = clock_now_ns();
	return event_timer(events, &channel->retry, on_retry, channel);
}

void channel_finish(struct channel *channel)
{
	event_remove(channel->events, &channel->socket);
	channel->fd = close_fd(channel->fd);
	event_timer_finish(channel->events, &channel->retry);
}
