/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/control.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "control/client.h"
#include "control/rate.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/log.h"

#define TICK_USEC          (1 * UINT64_C(1000000))
#define TICK_ACCURACY_USEC (250 * UINT64_C(1000))

/** Connections accepted in one turn, so that a storm of them does not delay the rest of the loop.
 */
#define ACCEPT_PER_TURN 16

struct control_server {
	sd_event *event;
	struct control_ops ops;
	int fd;
	char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	dev_t device; /* of the socket made here: another socket at the path is not removed */
	ino_t inode;
	sd_event_source *listener;
	sd_event_source *timer; /* on only while there are clients, or accepting is paused */
	bool accept_paused;     /* no descriptors or memory left; retried at the next tick */
	uint64_t idle_ns;
	uint64_t drain_ns;
	struct control_client *clients[CONTROL_CLIENTS_MAX];
	size_t n_clients;
	struct control_rate rate;
};

bool control_server_take(struct control_server *server, const struct control_client *client)
{
	return control_rate_take(&server->rate, client->peer.uid, clock_now_ns());
}

void control_server_charge(struct control_server *server, const struct control_client *client,
                           uint64_t used_ns)
{
	control_rate_charge(&server->rate, client->peer.uid, used_ns, clock_now_ns());
}

static void server_drop(struct control_server *server, struct control_client *client)
{
	for (size_t i = 0; i < server->n_clients; i++) {
		if (server->clients[i] != client)
			continue;
		server->clients[i] = server->clients[--server->n_clients];
		control_client_free(client);
		break;
	}
	/* without clients there are no time-outs, and a tick would wake an idle daemon */
	if (server->n_clients == 0 && !server->accept_paused)
		sd_event_source_set_enabled(server->timer, SD_EVENT_OFF);
}

/** Drops clients with the largest unread answers, but not @keep, until all fit the common limit. */
static void server_shed(struct control_server *server, const struct control_client *keep)
{
	for (;;) {
		struct control_client *largest = NULL;
		size_t total = 0, most = 0;

		for (size_t i = 0; i < server->n_clients; i++) {
			size_t queued = control_client_queued(server->clients[i]);

			total += queued;
			if (server->clients[i] != keep && queued > most) {
				most = queued;
				largest = server->clients[i];
			}
		}
		if (total <= CONTROL_QUEUED_MAX || !largest)
			return;
		server_drop(server, largest);
	}
}

static int on_client(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct control_client *client = userdata;
	struct control_server *server = client->server;

	(void)source, (void)fd;
	/* one that waits is woken by nothing else */
	if ((client->waits && (revents & (EPOLLHUP | EPOLLERR))) ||
	    control_client_turn(client, &server->ops) < 0)
		server_drop(server, client);
	else
		server_shed(server, client);
	return 0;
}

/** Chooses the client to drop when all places are taken: see control_server_new(). */
static struct control_client *server_choose_victim(const struct control_server *server)
{
	struct control_client *victim = NULL;
	size_t most = 0;

	for (size_t i = 0; i < server->n_clients; i++) {
		struct control_client *client = server->clients[i];
		size_t same = 0;

		for (size_t k = 0; k < server->n_clients; k++)
			same += server->clients[k]->peer.uid == client->peer.uid;
		if (same > most || (same == most && client->progress_ns < victim->progress_ns)) {
			most = same;
			victim = client;
		}
	}
	return victim;
}

static int server_add(struct control_server *server, int fd)
{
	struct control_client *client = NULL;
	int r;

	if (server->n_clients == CONTROL_CLIENTS_MAX)
		server_drop(server, server_choose_victim(server));
	r = control_client_new(&client, server, fd);
	if (r < 0)
		return r;
	r = sd_event_add_io(server->event, &client->source, client->fd, EPOLLIN, on_client, client);
	if (r < 0) {
		control_client_free(client);
		return r;
	}
	server->clients[server->n_clients++] = client;
	return 0;
}

static void server_start_timer(struct control_server *server)
{
	int enabled = SD_EVENT_OFF;

	sd_event_source_get_enabled(server->timer, &enabled);
	if (enabled != SD_EVENT_OFF)
		return;
	if (sd_event_source_set_time_relative(server->timer, TICK_USEC) >= 0)
		sd_event_source_set_enabled(server->timer, SD_EVENT_ONESHOT);
}

static int on_tick(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct control_server *server = userdata;
	uint64_t now = clock_now_ns();

	(void)source, (void)usec;
	for (size_t i = server->n_clients; i > 0; i--) {
		struct control_client *client = server->clients[i - 1];
		uint64_t patience =
		        control_client_queued(client) > 0 ? server->drain_ns : server->idle_ns;

		if (now - client->progress_ns >= patience)
			server_drop(server, client);
		else if (client->waits && control_client_turn(client, &server->ops) < 0)
			server_drop(server, client);
	}
	server_shed(server, NULL);
	if (server->accept_paused &&
	    sd_event_source_set_enabled(server->listener, SD_EVENT_ON) >= 0)
		server->accept_paused = false;
	if (server->n_clients > 0 || server->accept_paused)
		server_start_timer(server);
	return 0;
}

/**
 * Stops accepting for a while. Without a free descriptor the connection stays in the queue and the
 * listener stays readable, so a loop that kept polling it would spin.
 */
static void server_pause(struct control_server *server, int error)
{
	log_warning("control socket %s: cannot accept a connection: %s; trying again every "
	            "second. If this persists, raise LimitNOFILE= of the service",
	            server->path, strerror(error));
	if (sd_event_source_set_enabled(server->listener, SD_EVENT_OFF) >= 0)
		server->accept_paused = true;
	server_start_timer(server);
}

static int on_listener(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct control_server *server = userdata;

	(void)source, (void)revents;
	for (int i = 0; i < ACCEPT_PER_TURN; i++) {
		CLEANUP(cleanup_fd)
		int connection = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (connection < 0 && (errno == EAGAIN || errno == EINTR))
			break;
		if (connection < 0 &&
		    (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)) {
			server_pause(server, errno);
			break;
		}
		if (connection >= 0 && server_add(server, connection) >= 0)
			connection = -1;
	}
	if (server->n_clients > 0)
		server_start_timer(server);
	return 0;
}

/** Removes a socket that an earlier daemon left at the path. Refuses to remove anything else. */
static int remove_old_socket(const char *path)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
}

/** Gives the group access to the socket, if there is such a group. */
static int server_set_access(const struct control_server *server, const char *group)
{
	struct group entry, *found = NULL;
	char buffer[4096];

	if (!group || getgrnam_r(group, &entry, buffer, sizeof(buffer), &found) != 0 || !found)
		return 0;
	if (lchown(server->path, (uid_t)-1, found->gr_gid) < 0)
		return -errno;
	return chmod(server->path, 0660) < 0 ? -errno : 0;
}

static int server_listen(struct control_server *server, const char *group)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct stat st;
	int r;

	r = remove_old_socket(server->path);
	if (r < 0)
		return r;
	server->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (server->fd < 0)
		return -errno;
	/* bind() gives the file the socket's mode, so at no moment is it open to all users. */
	if (fchmod(server->fd, 0600) < 0)
		return -errno;
	memcpy(address.sun_path, server->path, sizeof(address.sun_path));
	if (bind(server->fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	if (lstat(server->path, &st) < 0)
		return -errno;
	server->device = st.st_dev;
	server->inode = st.st_ino;
	r = server_set_access(server, group);
	if (r < 0)
		return r;
	return listen(server->fd, SOMAXCONN) < 0 ? -errno : 0;
}

static int server_attach(struct control_server *server)
{
	int r;

	r = sd_event_add_io(server->event, &server->listener, server->fd, EPOLLIN, on_listener,
	                    server);
	if (r < 0)
		return r;
	(void)sd_event_source_set_description(server->listener, "control-listener");
	r = sd_event_add_time_relative(server->event, &server->timer, CLOCK_MONOTONIC, TICK_USEC,
	                               TICK_ACCURACY_USEC, on_tick, server);
	if (r < 0)
		return r;
	(void)sd_event_source_set_description(server->timer, "control-timeouts");
	return sd_event_source_set_enabled(server->timer, SD_EVENT_OFF);
}

int control_server_new(struct control_server **ret, sd_event *event, const char *path,
                       const char *group, const struct control_ops *ops)
{
	struct control_server *server;
	int r;

	if (strlen(path) >= sizeof(server->path))
		return -ENAMETOOLONG;
	server = calloc(1, sizeof(*server));
	if (!server)
		return -ENOMEM;
	*server = (struct control_server){
	        .event = sd_event_ref(event),
	        .ops = *ops,
	        .fd = -1,
	        .idle_ns = CONTROL_IDLE_NS,
	        .drain_ns = CONTROL_DRAIN_NS,
	};
	strcpy(server->path, path);
	r = server_listen(server, group);
	if (r >= 0)
		r = server_attach(server);
	if (r < 0) {
		control_server_free(server);
		return r;
	}
	*ret = server;
	return 0;
}

void control_server_set_patience(struct control_server *server, uint64_t idle_ns, uint64_t drain_ns)
{
	server->idle_ns = idle_ns;
	server->drain_ns = drain_ns;
}

size_t control_server_clients(const struct control_server *server)
{
	return server->n_clients;
}

struct control_server *control_server_free(struct control_server *server)
{
	struct stat st;

	if (!server)
		return NULL;
	while (server->n_clients > 0)
		server_drop(server, server->clients[0]);
	sd_event_source_disable_unref(server->listener);
	sd_event_source_disable_unref(server->timer);
	if (server->inode != 0 && lstat(server->path, &st) >= 0 && st.st_dev == server->device &&
	    st.st_ino == server->inode)
		unlink(server->path);
	close_fd(server->fd);
	sd_event_unref(server->event);
	free(server);
	return NULL;
}
