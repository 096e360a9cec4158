// SPDX-License-Identifier: GPL-2.0-or-later
#include "channel/peer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "util/cleanup.h"
#include "util/clock.h"
#include "util/frames.h"

/* A guest that takes nothing of what waits for it. */
#define STALLED_NS (10 * NSEC_PER_SEC)

int channel_peer_new(struct channel_peer **ret, struct channel_shared *shared, int fd, uint32_t cid,
                     uint64_t now_ns)
{
	struct channel_peer *peer = calloc(1, sizeof(*peer));

	if (!peer)
		return -ENOMEM;
	peer->shared = shared;
	peer->fd = fd;
	peer->cid = cid;
	channel_session_begin(&peer->session, now_ns);
	*ret = peer;
	return 0;
}

struct channel_peer *channel_peer_free(struct channel_peer *peer)
{
	if (!peer)
		return NULL;
	sd_event_source_disable_unref(peer->source);
	close_fd(peer->fd);
	free((void *)peer->hello);
	free(peer->pending);
	free(peer->frames);
	free(peer->out);
	free(peer->told);
	free(peer);
	return NULL;
}

static void arm(struct channel_peer *peer)
{
	peer->shared->arm(peer->shared, channel_peer_next_ns(peer));
}

/* One that must wait is not read from: its guest notices when the buffers are full. */
static void watch(struct channel_peer *peer)
{
	sd_event_source_set_io_events(peer->source,
	                              (peer->pending ? 0 : EPOLLIN) | (peer->out ? EPOLLOUT : 0));
}

static void doom(struct channel_peer *peer, const char *why)
{
	if (!peer->doomed)
		peer->doomed = why;
}

static void break_rule(struct channel_peer *peer, const char *why)
{
	if (!peer->doomed)
		peer->shared->counters.bad_frames++;
	doom(peer, why);
}

/* ---- out ---- */

/* Sends as much as the socket takes. Returns how much. */
static size_t send_some(struct channel_peer *peer, const void *bytes, size_t size)
{
	ssize_t n = send(peer->fd, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n >= 0)
		return (size_t)n;
	if (errno != EAGAIN && errno != EINTR)
		doom(peer, "the connection broke");
	return 0;
}

/* Keeps what the socket does not take. */
static void queue(struct channel_peer *peer, const uint8_t *bytes, size_t size)
{
	size_t waits = peer->out_size - peer->out_sent;
	uint8_t *out;

	if (waits + size > CHANNEL_QUEUED_MAX) {
		doom(peer, "the guest does not read");
		return;
	}
	out = malloc(waits + size);
	if (!out) {
		doom(peer, "out of memory");
		return;
	}
	if (waits)
		memcpy(out, peer->out + peer->out_sent, waits);
	else
		peer->progress_ns = clock_now_ns();
	memcpy(out + waits, bytes, size);
	free(peer->out);
	peer->out = out;
	peer->out_size = waits + size;
	peer->out_sent = 0;
	watch(peer);
}

void channel_peer_send(struct channel_peer *peer, const void *frame, size_t size)
{
	size_t sent;

	if (peer->doomed)
		return;
	peer->frames_sent++;
	sent = peer->out ? 0 : send_some(peer, frame, size);
	if (sent < size && !peer->doomed)
		queue(peer, (const uint8_t *)frame + sent, size - sent);
	arm(peer);
}

void channel_peer_flush(struct channel_peer *peer, uint64_t now_ns)
{
	size_t sent;

	if (!peer->out)
		return;
	sent = send_some(peer, peer->out + peer->out_sent, peer->out_size - peer->out_sent);
	peer->out_sent += sent;
	if (sent)
		peer->progress_ns = now_ns;
	if (peer->out_sent < peer->out_size)
		return;
	free(peer->out);
	peer->out = NULL;
	peer->out_size = peer->out_sent = 0;
	watch(peer);
}

/* ---- in ---- */

void channel_peer_receive(struct channel_peer *peer)
{
	size_t room;
	ssize_t n;
	void *space;

	if (!peer->frames) {
		peer->frames = malloc(sizeof(*peer->frames));
		if (!peer->frames) {
			doom(peer, "out of memory");
			return;
		}
		frames_init(peer->frames, FRAMES_OF_GUEST);
	}
	space = frames_space(peer->frames, &room);
	n = recv(peer->fd, space, room, MSG_DONTWAIT);
	if (n > 0)
		frames_added(peer->frames, (size_t)n);
	else if (n == 0)
		doom(peer, "the guest closed it");
	else if (errno != EAGAIN && errno != EINTR)
		doom(peer, "the connection broke");
}

/* A hello counts from here on. */
static void hear(struct channel_peer *peer, struct channel_hello *hello, uint64_t now_ns)
{
	const struct channel_ops *ops = &peer->shared->ops;

	free((void *)peer->hello);
	peer->hello = hello;
	free(peer->told);
	peer->told = NULL;
	peer->late_said = false;
	peer->shared->counters.hellos++;
	channel_session_hello(&peer->session, now_ns);
	ops->hello(ops->userdata, peer);
}

/* The guest learns at once that it must wait; what it said is heard later, without its doing. */
static void put_off(struct channel_peer *peer, struct channel_hello *hello, uint64_t until_ns)
{
	struct channel_verdict verdict = {.refusal = PVSCHED_CHANNEL_TOO_OFTEN,
	                                  .status = PVSCHED_STATUS_DISABLED,
	                                  .policy = peer->policy};

	if (hello != peer->pending)
		free(peer->pending);
	peer->pending = hello;
	peer->pending_ns = until_ns;
	if (peer->late_said)
		return;
	peer->late_said = true;
	peer->shared->ops.late(peer->shared->ops.userdata, peer);
	peer->shared->counters.hellos_delayed++;
	channel_answer(peer, &verdict);
}

static void take_hello(struct channel_peer *peer, struct channel_hello *hello, uint64_t now_ns)
{
	uint64_t until_ns = channel_rate_take(&peer->shared->hellos, peer->cid, now_ns);

	if (until_ns) {
		put_off(peer, hello, until_ns);
		watch(peer);
		return;
	}
	hear(peer, hello, now_ns);
}

static void take_stored(struct channel_peer *peer, const struct pvsched_channel_head *head,
                        uint64_t now_ns)
{
	const struct channel_ops *ops = &peer->shared->ops;
	const char *why;
	uint64_t nonce;
	int r = channel_stored_parse(head, head->size, &nonce, &why);

	if (r == 0)
		r = channel_session_stored(&peer->session, nonce, now_ns);
	if (r < 0)
		break_rule(peer, "it says that it stored what it was not given");
	else if (r == 0)
		ops->stored(ops->userdata, peer);
}

static void take_frame(struct channel_peer *peer, const struct pvsched_channel_head *head,
                       uint64_t now_ns)
{
	struct channel_hello *hello;
	const char *why = "";
	int r;

	peer->frames_received++;
	if (head->type == PVSCHED_CHANNEL_STORED) {
		take_stored(peer, head, now_ns);
		return;
	}
	r = channel_hello_parse(head, head->size, &hello, &why);
	if (r == 0)
		take_hello(peer, hello, now_ns);
	else if (r == -ENOMEM)
		doom(peer, "out of memory");
	else
		break_rule(peer, why);
}

void channel_peer_take(struct channel_peer *peer, uint64_t now_ns)
{
	const struct pvsched_channel_head *head;
	int r = 0;

	while (peer->frames && !peer->pending && !peer->doomed &&
	       (r = frames_next(peer->frames, &head)) > 0)
		take_frame(peer, head, now_ns);
	if (r < 0)
		break_rule(peer, "it sent what is no frame of version 1");
	/* one that waits for news, as most do, keeps no room for them */
	if (peer->frames && !peer->pending && peer->frames->used == peer->frames->taken) {
		free(peer->frames);
		peer->frames = NULL;
	}
	arm(peer);
}

/* ---- what is told ---- */

/* Is it what the guest knows, but for the time? */
static bool knows(const struct pvsched_channel_vcpu *told, const struct pvsched_channel_vcpu *now)
{
	struct pvsched_channel_vcpu copy = *told;

	copy.published_ns = now->published_ns;
	return memcmp(&copy, now, sizeof(copy)) == 0;
}

/* The place of a CPU in the hello. It is looked for from @from on, since most come in that order.
 * Returns the number of CPUs if it is not there. */
static uint32_t place_of(const struct channel_hello *hello, uint32_t cpu_index, uint32_t from)
{
	for (uint32_t i = 0; i < hello->n_cpus; i++) {
		uint32_t place = (from + i) % hello->n_cpus;

		if (hello->cpus[place].cpu_index == cpu_index)
			return place;
	}
	return hello->n_cpus;
}

/* Leaves those of @states that the guest does not know. Returns how many. */
static uint32_t keep_news(struct channel_peer *peer, struct pvsched_channel_vcpu *states,
                          uint32_t n)
{
	uint32_t place = 0, news = 0;

	for (uint32_t i = 0; i < n; i++) {
		place = place_of(peer->hello, states[i].cpu_index, place);
		if (place == peer->hello->n_cpus || knows(&peer->told[place], &states[i]))
			continue;
		peer->told[place] = states[i];
		states[news++] = states[i];
	}
	return news;
}

static bool remembers(struct channel_peer *peer)
{
	size_t size = peer->hello->n_cpus * sizeof(*peer->told);

	if (peer->told)
		return true;
	peer->told = malloc(size);
	if (peer->told)
		memset(peer->told, 0xff, size); /* like no state that there is */
	return peer->told;
}

void channel_peer_tell(struct channel_peer *peer, uint64_t now_ns)
{
	const struct channel_ops *ops = &peer->shared->ops;
	struct {
		struct pvsched_channel_state state;
		struct pvsched_channel_vcpu vcpus[PVSCHED_CHANNEL_CPUS_MAX];
	} frame;
	uint32_t n, news;
	size_t size;

	if (!remembers(peer)) {
		doom(peer, "out of memory");
		return;
	}
	n = ops->states(ops->userdata, peer, frame.vcpus, peer->hello->n_cpus);
	news = keep_news(peer, frame.vcpus, n);
	channel_session_told(&peer->session, news > 0, now_ns);
	if (news == 0)
		return;
	size = sizeof(frame.state) + news * sizeof(frame.vcpus[0]);
	frame.state = (struct pvsched_channel_state){
	        .head = frame_head(PVSCHED_CHANNEL_STATE, size),
	        .generation = peer->session.generation,
	        .n_vcpus = news,
	};
	channel_peer_send(peer, &frame, size);
}

/* ---- by the time ---- */

void channel_peer_due(struct channel_peer *peer, uint64_t now_ns)
{
	struct channel_hello *pending = peer->pending;

	if (peer->doomed)
		return;
	if (pending && now_ns >= peer->pending_ns) {
		peer->pending = NULL;
		take_hello(peer, pending, now_ns);
		channel_peer_take(peer, now_ns);
		watch(peer);
	}
	if (peer->out && now_ns >= peer->progress_ns + STALLED_NS)
		doom(peer, "the guest does not read");
	else if (channel_session_expired(&peer->session, now_ns))
		doom(peer, "the guest did not answer");
	else if (!peer->out && channel_session_tells(&peer->session, now_ns))
		channel_peer_tell(peer, now_ns);
}

uint64_t channel_peer_next_ns(const struct channel_peer *peer)
{
	uint64_t next_ns;

	if (peer->doomed)
		return 0;
	/* what waits to be read is told first: news come after it */
	next_ns = peer->out ? peer->progress_ns + STALLED_NS
	                    : channel_session_next_ns(&peer->session);
	return peer->pending ? MIN(next_ns, peer->pending_ns) : next_ns;
}

/* ---- for the owner ---- */

int channel_challenge(struct channel_peer *peer)
{
	struct pvsched_channel_challenge frame = {
	        .head = frame_head(PVSCHED_CHANNEL_CHALLENGE, sizeof(frame)),
	};
	uint64_t random[2] = {0};

	while (random[0] == 0 || random[1] == 0)
		if (getrandom(random, sizeof(random), GRND_NONBLOCK) != sizeof(random))
			return -errno;
	frame.generation = random[0];
	frame.nonce = random[1];
	channel_session_challenge(&peer->session, frame.generation, frame.nonce, clock_now_ns());
	channel_peer_send(peer, &frame, sizeof(frame));
	return 0;
}

void channel_answer(struct channel_peer *peer, const struct channel_verdict *verdict)
{
	const struct channel_policy *policy = &verdict->policy;
	struct pvsched_channel_answer frame = {
	        .head = frame_head(PVSCHED_CHANNEL_ANSWER, sizeof(frame)),
	        .status = verdict->status,
	        .refusal = verdict->refusal,
	        .policy_version = policy->version,
	        .host_abi_version = PVSCHED_ABI_VERSION,
	        .n_pages = verdict->n_pages,
	};

	if (policy->name)
		strncpy(frame.policy_name, policy->name, sizeof(frame.policy_name) - 1);
	if (verdict->refusal == PVSCHED_CHANNEL_SERVED)
		frame.generation = peer->session.generation;
	peer->policy = *policy;
	channel_session_answer(&peer->session, verdict->refusal, verdict->status, verdict->n_pages,
	                       clock_now_ns());
	channel_peer_send(peer, &frame, sizeof(frame));
}

void channel_changed(struct channel_peer *peer, bool at_once)
{
	channel_session_changed(&peer->session, at_once);
	arm(peer);
}

void channel_close(struct channel_peer *peer, const char *why)
{
	if (!peer->doomed)
		peer->doomed = why;
	arm(peer);
}
