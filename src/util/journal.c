// SPDX-License-Identifier: GPL-2.0-or-later
#include "util/journal.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "util/clock.h"

/* As libsystemd's: a domain's name and a long message must fit. */
#define SEND_BUFFER (8 * 1024 * 1024)

static const char *socket_path = "/run/systemd/journal/socket";
static int journal_fd = -1;

void journal_set_socket(const char *path)
{
	socket_path = path;
}

static int connect_to_journal(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd, r = 0, size = SEND_BUFFER;

	if (journal_fd >= 0)
		return 0;
	if (snprintf(address.sun_path, sizeof(address.sun_path), "%s", socket_path) >=
	    (int)sizeof(address.sun_path))
		return -ENAMETOOLONG;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	/* connected, so that poll() tells when the journal has room */
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		r = -errno;
	if (r < 0)
		close(fd);
	else
		journal_fd = fd;
	return r;
}

static int send_now(struct msghdr *message)
{
	return sendmsg(journal_fd, message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}

static bool wait_for_room(struct journal_patience *patience)
{
	struct pollfd fd = {.fd = journal_fd, .events = POLLOUT};
	unsigned int limit_ms = MIN(patience->left_ms, JOURNAL_WAIT_MS), took_ms;
	uint64_t begin_ns = clock_now_ns();
	int r;

	if (limit_ms == 0)
		return false;
	r = poll(&fd, 1, (int)limit_ms);
	took_ms = (unsigned int)((clock_now_ns() - begin_ns) / NSEC_PER_MSEC) + 1;
	patience->left_ms -= MIN(took_ms, patience->left_ms);
	return r > 0 && (fd.revents & POLLOUT);
}

int journal_send(const struct iovec *fields, size_t n, struct journal_patience *patience)
{
	static const char newline[] = "\n";
	struct iovec iov[2 * JOURNAL_FIELDS_MAX];
	struct msghdr message = {.msg_iov = iov};
	int r = connect_to_journal();

	if (r < 0)
		return r;
	for (size_t i = 0; i < n && i < JOURNAL_FIELDS_MAX; i++) {
		iov[message.msg_iovlen++] = fields[i];
		iov[message.msg_iovlen++] = (struct iovec){(void *)newline, 1};
	}
	r = send_now(&message);
	if (r == -ECONNREFUSED || r == -ENOTCONN || r == -ECONNRESET) {
		/* another journal, with another socket */
		close(journal_fd);
		journal_fd = -1;
		r = connect_to_journal();
		if (r == 0)
			r = send_now(&message);
	}
	if (r == -EAGAIN && wait_for_room(patience))
		r = send_now(&message);
	return r == -ENOBUFS ? -EAGAIN : r;
}
