// SPDX-License-Identifier: GPL-2.0-or-later
#include "channel/server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <linux/vm_sockets.h>

#include "model/cids.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/log.h"

/* Connections accepted in one turn of the loop, and turned away before there is a pause. */
#define ACCEPT_PER_TURN 16
#define REJECTED_MAX    64
#define PAUSE_NS        (100 * NSEC_PER_MSEC)

/* After a lack of descriptors or memory. */
#define LACK_PAUSE_NS NSEC_PER_SEC

/* ---- the listening socket ---- */

int channel_listen(void)
{
	struct sockaddr_vm address = {.svm_family = AF_VSOCK,
	                              .svm_cid = VMADDR_CID_ANY,
	                              .svm_port = PVSCHED_CHANNEL_PORT};
	CLEANUP(cleanup_fd)
	int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(fd, SOMAXCONN) < 0)
		return -errno;
	return STEAL(fd, -1);
}

bool channel_is_listener(int fd)
{
	struct sockaddr_vm address = {0};
	socklen_t size = sizeof(address);
	int listens = 0;
	socklen_t length = sizeof(listens);

	return getsockname(fd, (struct sockaddr *)&address, &size) == 0 &&
	       address.svm_family == AF_VSOCK &&
	       getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &length) == 0 && listens;
}

/* ---- the timer: on only while something is due ---- */

static void timer_at(struct channel_server *server, uint64_t at_ns)
{
	server->timer_ns = at_ns;
	if (at_ns == NSEC_NEVER) {
		sd_event_source_set_enabled(server->timer, SD_EVENT_OFF);
		return;
	}
	/* rounded up: it must not fire before it is due */
	sd_event_source_set_time(server->timer, at_ns / NSEC_PER_USEC + 1);
	sd_event_source_set_enabled(server->timer, SD_EVENT_ONESHOT);
}

static struct channel_server *server_of(struct channel_shared *shared)
{
	return (struct channel_server *)((char *)shared - offsetof(struct channel_server, shared));
}

static void on_armed(struct channel_shared *shared, uint64_t at_ns)
{
	struct channel_server *server = server_of(shared);

	if (at_ns < server->timer_ns)
		timer_at(server, at_ns);
}

/* ---- peers ---- */

static void drop(struct channel_server *server, struct channel_peer *peer, const char *why)
{
	struct channel_peer **at = &server->peers;

	while (*at != peer)
		at = &(*at)->next;
	*at = peer->next;
	server->n_peers--;
	server->shared.ops.gone(server->shared.ops.userdata, peer, why);
	channel_peer_free(peer);
}

static int on_peer(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct channel_peer *peer = userdata;
	uint64_t now_ns = clock_now_ns();

	(void)source;
	(void)fd;
	if (revents & EPOLLOUT)
		channel_peer_flush(peer, now_ns);
	if ((revents & EPOLLIN) && !peer->pending) {
		channel_peer_receive(peer);
		channel_peer_take(peer, now_ns);
	} else if (revents & (EPOLLHUP | EPOLLERR)) {
		channel_close(peer, "the guest closed it");
	}
	if (peer->doomed)
		drop(server_of(peer->shared), peer, peer->doomed);
	return 0;
}

static struct channel_peer *find(const struct channel_server *server, uint32_t cid)
{
	struct channel_peer *peer = server->peers;

	while (peer && peer->cid != cid)
		peer = peer->next;
	return peer;
}

/* Of those that have not said what they are, the one that had the most time to. */
static struct channel_peer *choose_victim(const struct channel_server *server)
{
	struct channel_peer *victim = NULL;

	for (struct channel_peer *peer = server->peers; peer; peer = peer->next)
		if (peer->session.refusal != PVSCHED_CHANNEL_SERVED &&
		    (!victim || peer->session.since_ns < victim->session.since_ns))
			victim = peer;
	return victim;
}

/* One connection of a CID: of an agent that was killed, or of a guest that was reset, the host may
 * not know yet that the old one is over. */
static bool make_room(struct channel_server *server, uint32_t cid)
{
	struct channel_peer *peer = find(server, cid);

	if (peer)
		drop(server, peer, "the guest has connected again");
	if (server->n_peers < CHANNEL_PEERS_MAX)
		return true;
	peer = choose_victim(server);
	if (peer)
		drop(server, peer, "too many connections");
	return peer;
}

static int add(struct channel_server *server, int fd, uint32_t cid, uint64_t now_ns)
{
	struct channel_peer *peer;
	int r = channel_peer_new(&peer, &server->shared, fd, cid, now_ns);

	if (r < 0)
		return r;
	r = sd_event_add_io(server->event, &peer->source, fd, EPOLLIN, on_peer, peer);
	if (r < 0) {
		peer->fd = -1; /* the caller's */
		channel_peer_free(peer);
		return r;
	}
	sd_event_source_set_description(peer->source, "agent");
	peer->next = server->peers;
	server->peers = peer;
	server->n_peers++;
	server->shared.counters.connections++;
	on_armed(&server->shared, channel_peer_next_ns(peer));
	return 0;
}

void channel_server_take(struct channel_server *server, int fd, uint32_t cid, uint32_t port)
{
	CLEANUP(cleanup_fd) int owned = fd;
	uint64_t now_ns = clock_now_ns();

	if (cid < CID_MIN || cid > CID_MAX || port > PVSCHED_CHANNEL_PORT_MAX) {
		server->shared.counters.refused_peers++;
		server->rejected++;
	} else if (channel_rate_take(&server->connects, cid, now_ns)) {
		server->shared.counters.refused_rate++;
		server->rejected++;
	} else if (make_room(server, cid) && add(server, fd, cid, now_ns) == 0) {
		owned = -1;
	}
}

/* ---- accepting ---- */

static void pause_for(struct channel_server *server, uint64_t delay_ns)
{
	server->paused_until_ns = clock_now_ns() + delay_ns;
	server->rejected = 0;
	sd_event_source_set_enabled(server->listener, SD_EVENT_OFF);
	if (server->paused_until_ns < server->timer_ns)
		timer_at(server, server->paused_until_ns);
}

/* Returns false when there is no more to accept, or not now. */
static bool accept_one(struct channel_server *server, int fd)
{
	struct sockaddr_vm address = {0};
	socklen_t size = sizeof(address);
	int connection =
	        accept4(fd, (struct sockaddr *)&address, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (connection < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM)) {
		log_warning("a connection of an agent can't be accepted: %s; tried again in a "
		            "second. If this persists, raise LimitNOFILE= of the service",
		            strerror(errno));
		pause_for(server, LACK_PAUSE_NS);
	}
	if (connection < 0)
		return false;
	/* what is no vsock has CID 0 */
	channel_server_take(server, connection,
	                    address.svm_family == AF_VSOCK ? address.svm_cid : 0, address.svm_port);
	if (server->rejected < REJECTED_MAX)
		return true;
	pause_for(server, PAUSE_NS);
	return false;
}

static int on_listener(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct channel_server *server = userdata;

	(void)source;
	(void)revents;
	for (int i = 0; i < ACCEPT_PER_TURN && accept_one(server, fd); i++)
		;
	return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct channel_server *server = userdata;
	uint64_t now_ns = clock_now_ns(), next_ns = NSEC_NEVER;
	struct channel_peer *peer, *next;

	(void)source;
	(void)usec;
	server->timer_ns = NSEC_NEVER;
	server->rejected = 0;
	if (server->paused_until_ns && now_ns >= server->paused_until_ns) {
		server->paused_until_ns = 0;
		sd_event_source_set_enabled(server->listener, SD_EVENT_ON);
	}
	if (server->paused_until_ns)
		next_ns = server->paused_until_ns;
	for (peer = server->peers; peer; peer = next) {
		next = peer->next;
		channel_peer_due(peer, now_ns);
		if (peer->doomed)
			drop(server, peer, peer->doomed);
		else
			next_ns = MIN(next_ns, channel_peer_next_ns(peer));
	}
	timer_at(server, next_ns);
	return 0;
}

/* ---- for the owner ---- */

int channel_server_new(struct channel_server **ret, sd_event *event, const struct channel_ops *ops)
{
	struct channel_server *server = calloc(1, sizeof(*server));
	int r;

	if (!server)
		return -ENOMEM;
	server->event = sd_event_ref(event);
	server->shared = (struct channel_shared){.ops = *ops, .arm = on_armed};
	server->timer_ns = NSEC_NEVER;
	r = sd_event_add_time(event, &server->timer, CLOCK_MONOTONIC, 0, 0, on_timer, server);
	if (r >= 0)
		r = sd_event_source_set_enabled(server->timer, SD_EVENT_OFF);
	if (r < 0) {
		channel_server_free(server);
		return r;
	}
	sd_event_source_set_description(server->timer, "agents");
	*ret = server;
	return 0;
}

int channel_server_listen(struct channel_server *server, int fd)
{
	/* systemd hands over a socket whose accept4() waits for the next guest */
	int flags = fcntl(fd, F_GETFL);
	int r = flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ? -errno : 0;

	if (r == 0)
		r = sd_event_add_io(server->event, &server->listener, fd, EPOLLIN, on_listener,
		                    server);
	if (r < 0) {
		close_fd(fd);
		return r;
	}
	sd_event_source_set_io_fd_own(server->listener, true);
	sd_event_source_set_description(server->listener, "agents-listener");
	server->listens = true;
	return 0;
}

struct channel_server *channel_server_free(struct channel_server *server)
{
	struct channel_peer *next;

	if (!server)
		return NULL;
	for (struct channel_peer *peer = server->peers; peer; peer = next) {
		next = peer->next;
		channel_peer_free(peer);
	}
	sd_event_source_disable_unref(server->listener);
	sd_event_source_disable_unref(server->timer);
	sd_event_unref(server->event);
	free(server);
	return NULL;
}
