/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/client.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "util/cleanup.h"
#include "util/clock.h"
#include "util/escape.h"

#define ERROR_SIZE 1024

/** Above this, the answer's JSON tree, which is several times larger, is worth a malloc_trim(). */
#define LARGE_BYTES ((size_t)256 * 1024)

static void cleanup_json(cJSON **json)
{
	cJSON_Delete(*json);
}

int control_client_new(struct control_client **ret, struct control_server *server, int fd)
{
	struct control_client *client;
	socklen_t size = sizeof(client->peer);

	client = calloc(1, sizeof(*client));
	if (!client)
		return -ENOMEM;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &client->peer, &size) < 0) {
		int r = -errno;

		free(client);
		return r;
	}
	client->server = server;
	client->fd = fd;
	client->progress_ns = clock_now_ns();
	*ret = client;
	return 0;
}

struct control_client *control_client_free(struct control_client *client)
{
	if (!client)
		return NULL;
	sd_event_source_disable_unref(client->source);
	close_fd(client->fd);
	free(client->out);
	free(client);
	return NULL;
}

size_t control_client_queued(const struct control_client *client)
{
	return client->out_size - client->out_sent;
}

/** Sends as much as the socket takes. Frees the answer once all of it is sent. */
static int client_flush(struct control_client *client)
{
	ssize_t n;

	n = send(client->fd, client->out + client->out_sent, control_client_queued(client),
	         MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	client->out_sent += (size_t)n;
	if (control_client_queued(client) > 0)
		return 0;
	free(client->out);
	client->out = NULL;
	client->out_size = client->out_sent = 0;
	client->progress_ns = clock_now_ns();
	return 0;
}

/** Queues @text, a JSON object without line breaks, and takes ownership of it. */
static int client_queue(struct control_client *client, char *text)
{
	size_t size = strlen(text);
	char *line = realloc(text, size + 2);

	if (!line) {
		free(text);
		return -ENOMEM;
	}
	line[size] = '\n';
	line[size + 1] = '\0';
	client->out = line;
	client->out_large = client->out_large || size > LARGE_BYTES;
	client->out_size = size + 1;
	client->out_sent = 0;
	client->progress_ns = clock_now_ns();
	return client_flush(client);
}

static int client_answer_error(struct control_client *client, int error, const char *message)
{
	CLEANUP(cleanup_json) cJSON *answer = cJSON_CreateObject();
	const char *code = strerrorname_np(-error);
	char escaped[ESCAPE_SIZE(ERROR_SIZE)];
	char *text;

	escape_text(message[0] ? message : strerror(-error), escaped, sizeof(escaped));
	if (!cJSON_AddFalseToObject(answer, "ok") ||
	    !cJSON_AddStringToObject(answer, "error", escaped) ||
	    !cJSON_AddStringToObject(answer, "code", code ? code : "EIO"))
		return -ENOMEM;
	text = cJSON_PrintUnformatted(answer);
	return text ? client_queue(client, text) : -ENOMEM;
}

/** Takes ownership of @result, also on failure. */
static int client_answer(struct control_client *client, cJSON *result)
{
	CLEANUP(cleanup_json) cJSON *answer = cJSON_CreateObject();
	char *text;

	if (!result)
		result = cJSON_CreateNull();
	if (!cJSON_AddTrueToObject(answer, "ok") ||
	    !cJSON_AddItemToObject(answer, "result", result)) {
		cJSON_Delete(result);
		return -ENOMEM;
	}
	text = cJSON_PrintUnformatted(answer);
	if (!text)
		return -ENOMEM;
	if (strlen(text) >= CONTROL_RESPONSE_MAX) {
		free(text);
		return client_answer_error(client, -EMSGSIZE,
		                           "the answer is larger than 8 MiB; pvschedctl list "
		                           "and show have it in parts");
	}
	return client_queue(client, text);
}

static int client_handle(struct control_client *client, const struct control_ops *ops,
                         const char *line, size_t size)
{
	struct control_request request;
	char error[ERROR_SIZE] = "";
	cJSON *result = NULL;
	int r;

	r = control_parse(line, size, &request, error, sizeof(error));
	if (r < 0)
		return client_answer_error(client, r, error);
	if (control_verb_changes(request.verb) && client->peer.uid != 0)
		return client_answer_error(client, -EPERM,
		                           "only root may change anything; try again with sudo");
	r = ops->handle(ops->userdata, &request, &result, error, sizeof(error));
	if (r < 0) {
		cJSON_Delete(result);
		return client_answer_error(client, r, error);
	}
	return client_answer(client, result);
}

/** Length of the first complete line in the buffer, including its newline, or 0. */
static size_t client_line(const struct control_client *client)
{
	const char *end = memchr(client->in, '\n', client->in_size);

	return end ? (size_t)(end - client->in) + 1 : 0;
}

static int client_receive(struct control_client *client)
{
	ssize_t n;

	/* Without a control buffer, the kernel closes descriptors that the client sends. */
	n = recv(client->fd, client->in + client->in_size, sizeof(client->in) - client->in_size,
	         MSG_DONTWAIT);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (n == 0)
		client->eof = true;
	client->in_size += (size_t)n;
	return 0;
}

/** Handles the first line in the buffer, if it is complete. */
static int client_next(struct control_client *client, const struct control_ops *ops)
{
	size_t size = client_line(client);
	char line[CONTROL_REQUEST_MAX];
	uint64_t begin_ns;
	int r;

	if (size == 0 && client->in_size == sizeof(client->in)) {
		client->closing = true;
		client->in_size = 0;
		return client_answer_error(client, -EMSGSIZE,
		                           "the request is longer than 4096 bytes");
	}
	if (size == 0)
		return 0;
	client->waits = !control_server_take(client->server, client);
	if (client->waits)
		return 0;
	memcpy(line, client->in, size - 1);
	client->in_size -= size;
	memmove(client->in, client->in + size, client->in_size);
	begin_ns = clock_thread_ns();
	r = client_handle(client, ops, line, size - 1);
	control_server_charge(client->server, client, clock_thread_ns() - begin_ns);
	return r;
}

int control_client_turn(struct control_client *client, const struct control_ops *ops)
{
	bool sending;
	int r;

	if (client->out)
		r = client_flush(client);
	else
		r = client_line(client) > 0 ? 0 : client_receive(client);
	if (r >= 0 && !client->out && !client->closing)
		r = client_next(client, ops);
	if (r < 0)
		return r;
	if (client->out_large && !client->out) {
		malloc_trim(0);
		client->out_large = false;
	}
	if (client->waits)
		return sd_event_source_set_io_events(client->source, 0);
	sending = client->out || client_line(client) > 0;
	if (!sending && (client->eof || client->closing))
		return -ESHUTDOWN;
	return sd_event_source_set_io_events(client->source, sending ? EPOLLOUT : EPOLLIN);
}
