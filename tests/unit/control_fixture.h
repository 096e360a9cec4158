/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A control server, a fake daemon behind it, and clients, all in one thread: the clients never
 * block, and turns of the loop are taken in between.
 */

#include <cjson/cJSON.h>
#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "control/control.h"
#include "test.h"
#include "util/cleanup.h"
#include "util/clock.h"

static struct fixture {
	sd_event *event;
	struct control_server *server;
	char directory[64];
	char path[96];
	struct control_request last;
	unsigned int handled;
	size_t answer_size; /* of a padding in the result */
	int answer_errno;
} fixture;

static inline int fake_handle(void *userdata, const struct control_request *request,
                              struct cJSON **result, char *error, size_t error_size)
{
	struct fixture *f = userdata;

	f->last = *request;
	f->handled++;
	if (f->answer_errno < 0) {
		snprintf(error, error_size, "no domain \"%s\"\n", request->domain);
		return f->answer_errno;
	}
	if (f->answer_size > 0) {
		char *text = malloc(f->answer_size + 1);

		memset(text, 'x', f->answer_size);
		text[f->answer_size] = '\0';
		*result = cJSON_CreateObject();
		cJSON_AddStringToObject(*result, "padding", text);
		free(text);
	}
	return 0;
}

static const struct control_ops ops = {.handle = fake_handle, .userdata = &fixture};

static inline void setup(void)
{
	memset(&fixture, 0, sizeof(fixture));
	strcpy(fixture.directory, "/tmp/pvsched-control-XXXXXX");
	CHECK(mkdtemp(fixture.directory));
	CHECK(chmod(fixture.directory, 0755) == 0);
	snprintf(fixture.path, sizeof(fixture.path), "%s/control.sock", fixture.directory);
	CHECK(sd_event_new(&fixture.event) >= 0);
	CHECK_INT(control_server_new(&fixture.server, fixture.event, fixture.path, "no-such-group",
	                             &ops),
	          0);
}

static inline void teardown(void)
{
	struct stat st;

	fixture.server = control_server_free(fixture.server);
	CHECK(stat(fixture.path, &st) < 0 && errno == ENOENT);
	sd_event_unref(fixture.event);
	CHECK(rmdir(fixture.directory) == 0);
}

/** Turns of the loop until nothing is left to do. */
static inline void pump(void)
{
	int quiet = 0;

	while (quiet < 3)
		quiet = sd_event_run(fixture.event, 1000) == 0 ? quiet + 1 : 0;
}

static inline int client_open(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	CHECK(fd >= 0);
	strcpy(address.sun_path, fixture.path);
	CHECK(connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
	return fd;
}

static inline void client_send(int fd, const char *text, size_t size)
{
	CHECK(send(fd, text, size, MSG_NOSIGNAL) == (ssize_t)size);
}

/** What has arrived, as a string of its own. */
static inline const char *client_receive(int fd)
{
	static char buffer[65536];
	ssize_t n = recv(fd, buffer, sizeof(buffer) - 1, 0);

	buffer[n > 0 ? n : 0] = '\0';
	return buffer;
}

static inline bool client_dropped(int fd)
{
	char byte;
	ssize_t n = recv(fd, &byte, 1, 0);

	return n == 0 || (n < 0 && errno != EAGAIN);
}

/** Turns of the loop until no client is left, or 4 s; @fd, if any, sends a byte each time. */
static inline void pump_until_dropped(int fd)
{
	uint64_t end = clock_now_ns() + 4 * NSEC_PER_SEC;

	while (control_server_clients(fixture.server) > 0 && clock_now_ns() < end) {
		if (fd >= 0)
			send(fd, " ", 1, MSG_NOSIGNAL); /* bytes alone are no progress */
		sd_event_run(fixture.event, 50000);
	}
	CHECK_INT(control_server_clients(fixture.server), 0);
}

static inline const char *ask(const char *line)
{
	int fd = client_open();
	const char *answer;

	client_send(fd, line, strlen(line));
	client_send(fd, "\n", 1);
	pump();
	answer = client_receive(fd);
	close(fd);
	pump();
	return answer;
}
