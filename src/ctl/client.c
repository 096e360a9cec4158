/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/client.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include "util/cleanup.h"

#define RESULT_PREFIX "{\"ok\":true,\"result\":"

static void cleanup_cjson(cJSON **json)
{
	cJSON_Delete(*json);
}

void ctl_reply_cleanup(struct ctl_reply *reply)
{
	json_free(reply->doc);
	free(reply->text);
	*reply = CTL_REPLY_NULL;
}

/** Builds the request as one line, which the caller frees. Returns NULL when out of memory. */
static char *request_build(const struct ctl_args *args)
{
	CLEANUP(cleanup_cjson) cJSON *request = cJSON_CreateObject();
	bool ok = cJSON_AddStringToObject(
	        request, "verb", args->request ? args->request : ctl_verbs[args->verb].request);
	char *text, *line = NULL;

	if (args->domain)
		ok = ok && cJSON_AddStringToObject(request, "domain", args->domain);
	if (args->vcpus)
		ok = ok && cJSON_AddStringToObject(request, "vcpus", args->vcpus);
	if (args->profile)
		ok = ok && cJSON_AddStringToObject(request, "profile", args->profile);
	if (args->policy)
		ok = ok && cJSON_AddStringToObject(request, "policy", args->policy);
	if (args->vcpu >= 0)
		ok = ok && cJSON_AddNumberToObject(request, "vcpu", args->vcpu);
	if (args->burst_us > 0)
		ok = ok && cJSON_AddNumberToObject(request, "burst_us", (double)args->burst_us);
	if (args->share_permille > 0)
		ok = ok && cJSON_AddNumberToObject(request, "share_permille", args->share_permille);
	if (args->for_us > 0)
		ok = ok && cJSON_AddNumberToObject(request, "for_us", (double)args->for_us);
	if (args->for_s > 0 && args->verb != CTL_LATENCY)
		ok = ok && cJSON_AddNumberToObject(request, "for_s", (double)args->for_s);
	if (args->window_min_ms > 0) {
		ok = ok &&
		     cJSON_AddNumberToObject(request, "window_min_ms", (double)args->window_min_ms);
		ok = ok &&
		     cJSON_AddNumberToObject(request, "window_max_ms", (double)args->window_max_ms);
	}
	if (args->persist && args->verb != CTL_RECOMMEND)
		ok = ok && cJSON_AddTrueToObject(request, "persist");
	if (args->dry_run)
		ok = ok && cJSON_AddTrueToObject(request, "dry_run");
	if (args->absent)
		ok = ok && cJSON_AddTrueToObject(request, "absent");
	if (args->name)
		ok = ok && cJSON_AddStringToObject(request, "name", args->name);
	text = ok ? cJSON_PrintUnformatted(request) : NULL;
	if (text && asprintf(&line, "%s\n", text) < 0)
		line = NULL;
	free(text);
	return line;
}

/** Returns a connected socket with time-outs, or -errno. */
static int open_socket(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct timeval timeout = {.tv_sec = CTL_TIMEOUT_S};
	CLEANUP(cleanup_fd) int fd = -1;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return errno == EAGAIN ? -ETIMEDOUT : -errno;
	return STEAL(fd, -1);
}

static int send_all(int fd, const char *text)
{
	size_t left = strlen(text);

	while (left > 0) {
		ssize_t n = send(fd, text, left, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		text += n;
		left -= (size_t)n;
	}
	return 0;
}

/** Receives one line without its newline; the caller frees *ret. */
static int receive_line(int fd, char **ret, size_t *ret_size)
{
	CLEANUP(cleanup_free) char *buffer = NULL;
	size_t used = 0, size = 0;

	for (;;) {
		ssize_t n;

		if (size - used < 2) {
			char *larger;

			size = size ? 2 * size : 65536;
			if (size > 2 * JSON_SIZE_MAX)
				return -EBADMSG;
			larger = realloc(buffer, size);
			if (!larger)
				return -ENOMEM;
			buffer = larger;
		}
		n = recv(fd, buffer + used, size - used - 1, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		if (n == 0)
			return -ECONNRESET;
		used += (size_t)n;
		if (buffer[used - 1] == '\n')
			break;
	}
	buffer[used - 1] = '\0';
	*ret_size = used - 1;
	*ret = STEAL(buffer, NULL);
	return 0;
}

static int reply_parse(struct ctl_reply *reply, size_t size)
{
	struct json_error error = JSON_ERROR_NULL;
	const struct json_value *root;
	int r;

	r = json_parse(reply->text, size, &reply->doc, &error);
	if (r < 0)
		return r;
	root = json_root(reply->doc);
	if (!json_member(root, "ok"))
		return -EBADMSG;
	r = json_get_bool(root, "ok", &reply->ok, &error);
	if (r < 0)
		return r;
	reply->result = json_member(root, "result");
	reply->error = reply->code = "";
	if (!reply->ok && json_member(root, "error"))
		r = json_as_string(json_member(root, "error"), &reply->error, &error);
	if (r >= 0 && !reply->ok && json_member(root, "code"))
		r = json_as_string(json_member(root, "code"), &reply->code, &error);
	return r;
}

/** The process that listens on the socket. */
static pid_t peer_of(int fd)
{
	struct ucred peer = {0};
	socklen_t size = sizeof(peer);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 ? 0 : peer.pid;
}

int ctl_ask(const struct ctl_args *args, struct ctl_reply *ret)
{
	CLEANUP(ctl_reply_cleanup) struct ctl_reply reply = CTL_REPLY_NULL;
	CLEANUP(cleanup_free) char *request = request_build(args);
	CLEANUP(cleanup_fd) int fd = -1;
	size_t size = 0;
	int r;

	if (!request)
		return -ENOMEM;
	fd = open_socket(args->socket);
	if (fd < 0)
		return fd;
	r = send_all(fd, request);
	if (r >= 0)
		r = receive_line(fd, &reply.text, &size);
	if (r >= 0)
		r = reply_parse(&reply, size);
	if (r < 0)
		return r;
	reply.daemon = peer_of(fd);
	*ret = STEAL(reply, CTL_REPLY_NULL);
	return 0;
}

const char *ctl_reply_result_text(const struct ctl_reply *reply, size_t *size)
{
	size_t length = strlen(reply->text), prefix = strlen(RESULT_PREFIX);

	if (length > prefix && strncmp(reply->text, RESULT_PREFIX, prefix) == 0 &&
	    reply->text[length - 1] == '}') {
		*size = length - prefix - 1;
		return reply->text + prefix;
	}
	*size = length;
	return reply->text;
}
