// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/clients.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/client_region.h"
#include "agent/pages.h"
#include "agent/socket.h"
#include "util/cleanup.h"
#include "util/clock.h"

/* Connections in all, with those that only ask for a report. */
#define CONNECTIONS_MAX (SETTINGS_CLIENTS_MAX + 16)
#define REPORTS_OF_USER 4 /* connections of one user that have no region */

/* Taken of one program before others have their turn. */
#define CALLS_AT_ONCE 16

struct client {
	struct clients *clients;
	struct event event;
	uid_t uid;
	pid_t pid;
	struct client_region region; /* @region.memory NULL: it asked for none */
	struct requester *requester;
};

struct clients {
	struct clients_what what;
	struct event listening, timer;
	struct requests *requests;
	struct client *connected[CONNECTIONS_MAX];
	size_t n;
	struct pvsched_channel_vcpu *lines; /* by CPU */
	bool *has_line;
	uint64_t generation; /* 0: not served */
	uint32_t host_abi_version;
	uint64_t refused;
};

static void set_timer(struct clients *clients)
{
	event_timer_set(&clients->timer, requests_due(clients->requests));
}

static void on_timer(void *userdata, uint32_t epoll_events)
{
	struct clients *clients = userdata;

	(void)epoll_events;
	event_timer_done(&clients->timer);
	requests_tick(clients->requests, clock_now_ns());
	set_timer(clients);
}

static void client_end(struct client *client)
{
	struct clients *clients = client->clients;
	int fd = client->event.fd;

	event_remove(clients->what.events, &client->event);
	close_fd(fd);
	requester_free(client->requester, clock_now_ns());
	client_region_finish(&client->region);
	for (size_t i = 0; i < clients->n; i++)
		if (clients->connected[i] == client)
			clients->connected[i] = clients->connected[--clients->n];
	free(client);
	set_timer(clients);
}

/* What the host said so far, into a new region; the header last. */
static void fill_region(struct client *client)
{
	struct clients *clients = client->clients;

	client_region_cpus(&client->region, clients->what.cpus);
	for (uint32_t i = 0; i < clients->what.n_cpus; i++)
		if (clients->generation && clients->has_line[i])
			page_line(client_region_page(&client->region, i), &clients->lines[i],
			          clients->host_abi_version, clients->generation);
	client_region_serve(&client->region, clients->generation);
}

static int make_region(struct client *client)
{
	struct clients *clients = client->clients;
	int r = requester_new(clients->requests, client->uid, &client->requester);

	if (r == 0)
		r = client_region_init(&client->region, clients->what.n_cpus);
	if (r == 0) {
		fill_region(client);
		return 0;
	}
	client->requester = requester_free(client->requester, clock_now_ns());
	clients->refused++;
	return r;
}

static int give_region(struct client *client)
{
	int r = client->requester ? 0 : make_region(client);

	return socket_answer(client->event.fd, PVSCHED_AGENT_REGION, r, client->region.fd,
	                     client->region.size);
}

static int give_report(struct client *client)
{
	const struct clients_what *what = &client->clients->what;
	int fd CLEANUP(cleanup_fd) = -1;
	uint64_t size = 0;
	int r = what->report(what->userdata, client->uid == 0, &fd, &size);

	return socket_answer(client->event.fd, PVSCHED_AGENT_STATUS, r, fd, size);
}

/* Returns 0; -errno: the connection ends. */
static int serve_call(struct client *client, const struct pvsched_agent_call *call)
{
	if (call->type == PVSCHED_AGENT_REGION)
		return give_region(client);
	if (call->type == PVSCHED_AGENT_STATUS)
		return give_report(client);
	if (call->type != PVSCHED_AGENT_LOOK || !client->region.memory ||
	    call->cpu >= client->clients->what.n_cpus)
		return -EBADMSG;
	if (requester_look(client->requester, call->cpu,
	                   client_region_page(&client->region, call->cpu), clock_now_ns()))
		set_timer(client->clients);
	return 0;
}

static void on_client(void *userdata, uint32_t epoll_events)
{
	struct client *client = userdata;
	struct pvsched_agent_call call;
	int r = 1;

	(void)epoll_events;
	for (int i = 0; r > 0 && i < CALLS_AT_ONCE; i++) {
		r = socket_call(client->event.fd, &call);
		if (r > 0 && serve_call(client, &call) < 0)
			r = -EBADMSG;
	}
	if (r < 0)
		client_end(client);
}

/* How many connections of this user have no region. */
static size_t without_region(const struct clients *clients, uid_t uid)
{
	size_t n = 0;

	for (size_t i = 0; i < clients->n; i++)
		n += clients->connected[i]->uid == uid && !clients->connected[i]->requester;
	return n;
}

static int client_new(struct clients *clients, int fd)
{
	struct client *client;
	struct ucred peer;
	socklen_t size = sizeof(peer);
	int r;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		return -errno;
	if (peer.uid != 0 && !settings_user(clients->what.settings, peer.uid))
		return -EACCES;
	if (clients->n == CONNECTIONS_MAX || without_region(clients, peer.uid) >= REPORTS_OF_USER)
		return -EUSERS;
	client = calloc(1, sizeof(*client));
	if (!client)
		return -ENOMEM;
	client->clients = clients;
	client->uid = peer.uid;
	client->pid = peer.pid;
	client->region = CLIENT_REGION_NULL;
	r = event_add(clients->what.events, &client->event, fd, EPOLLIN, on_client, client);
	if (r < 0) {
		free(client);
		return r;
	}
	clients->connected[clients->n++] = client;
	return 0;
}

static void on_connection(void *userdata, uint32_t epoll_events)
{
	struct clients *clients = userdata;
	int fd = accept4(clients->listening.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	int r;

	(void)epoll_events;
	if (fd < 0)
		return;
	r = client_new(clients, fd);
	if (r < 0) {
		/* it reads this when it has sent its call, or instead */
		socket_answer(fd, 0, r, -1, 0);
		close_fd(fd);
		clients->refused++;
	}
}

int clients_new(struct clients **ret, const struct clients_what *what)
{
	struct clients *clients = calloc(1, sizeof(*clients));
	int r, fd;

	if (!clients)
		return -ENOMEM;
	clients->what = *what;
	clients->listening = clients->timer = EVENT_NULL;
	clients->requests = requests_new(what->settings, what->pages, what->n_cpus);
	clients->lines = calloc(what->n_cpus, sizeof(*clients->lines));
	clients->has_line = calloc(what->n_cpus, sizeof(*clients->has_line));
	r = clients->requests && clients->lines && clients->has_line ? 0 : -ENOMEM;
	if (r == 0)
		r = event_timer(what->events, &clients->timer, on_timer, clients);
	if (r == 0) {
		fd = r = socket_listen(what->path);
		if (fd >= 0)
			r = event_add(what->events, &clients->listening, fd, EPOLLIN, on_connection,
			              clients);
	}
	if (r < 0) {
		clients_free(clients);
		return r;
	}
	*ret = clients;
	return 0;
}

struct clients *clients_free(struct clients *clients)
{
	int fd;

	if (!clients)
		return NULL;
	fd = clients->listening.fd;
	if (clients->requests && clients->lines && clients->has_line)
		clients_serve(clients, 0, 0);
	while (clients->n)
		client_end(clients->connected[0]);
	if (fd >= 0)
		unlink(clients->what.path);
	event_remove(clients->what.events, &clients->listening);
	close_fd(fd);
	if (clients->timer.fd >= 0)
		event_timer_finish(clients->what.events, &clients->timer);
	requests_free(clients->requests);
	free(clients->lines);
	free(clients->has_line);
	free(clients);
	return NULL;
}

void clients_serve(struct clients *clients, uint64_t generation, uint32_t host_abi_version)
{
	clients->generation = generation;
	clients->host_abi_version = host_abi_version;
	memset(clients->has_line, 0, clients->what.n_cpus * sizeof(*clients->has_line));
	for (size_t i = 0; i < clients->n; i++)
		if (clients->connected[i]->region.memory)
			client_region_serve(&clients->connected[i]->region, generation);
	requests_serve(clients->requests, generation != 0, clock_now_ns());
	set_timer(clients);
}

void clients_told(struct clients *clients, const struct pvsched_channel_vcpu *line)
{
	uint32_t cpu = line->cpu_index;

	if (cpu >= clients->what.n_cpus || !clients->generation)
		return;
	clients->lines[cpu] = *line;
	clients->has_line[cpu] = true;
	for (size_t i = 0; i < clients->n; i++) {
		struct client *client = clients->connected[i];

		if (client->region.memory)
			page_line(client_region_page(&client->region, cpu), line,
			          clients->host_abi_version, clients->generation);
	}
}

void clients_cpus_changed(struct clients *clients)
{
	for (size_t i = 0; i < clients->n; i++)
		if (clients->connected[i]->region.memory)
			client_region_cpus(&clients->connected[i]->region, clients->what.cpus);
}

const struct pvsched_channel_vcpu *clients_line(const struct clients *clients, uint32_t cpu)
{
	return cpu < clients->what.n_cpus && clients->has_line[cpu] ? &clients->lines[cpu] : NULL;
}

size_t clients_figures(const struct clients *clients, struct client_figures *ret, size_t max)
{
	uint64_t now_ns = clock_now_ns();
	size_t n = 0;

	for (size_t i = 0; i < clients->n && n < max; i++) {
		const struct client *client = clients->connected[i];

		if (!client->requester)
			continue;
		ret[n++] = (struct client_figures){
		        .of = requester_figures(client->requester, now_ns),
		        .pid = client->pid,
		};
	}
	return n;
}

uint64_t clients_refused(const struct clients *clients)
{
	return clients->refused;
}
