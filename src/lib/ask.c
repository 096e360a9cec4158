/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
#include "lib/ask.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

int pvsched_ask_connect(const char *path, long wait_us)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct timeval wait = {.tv_sec = wait_us / 1000000, .tv_usec = wait_us % 1000000};
	int fd, error;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	/* the first is for connect(), too */
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) < 0 ||
	    connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
		error = errno;
		close(fd);
		return -error;
	}
	return fd;
}

/* The descriptor that came with a message, or -1. */
static int passed_with(struct msghdr *message)
{
	struct cmsghdr *header = CMSG_FIRSTHDR(message);
	int fd;

	if (!header || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS ||
	    header->cmsg_len != CMSG_LEN(sizeof(fd)))
		return -1;
	memcpy(&fd, CMSG_DATA(header), sizeof(fd));
	return fd;
}

/* Receives the answer. Returns its descriptor, or -errno. */
static int receive(int fd, uint64_t *size)
{
	struct pvsched_agent_answer answer = {0};
	struct iovec data = {&answer, sizeof(answer)};
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
	struct msghdr message = {.msg_iov = &data,
	                         .msg_iovlen = 1,
	                         .msg_control = control,
	                         .msg_controllen = sizeof(control)};
	ssize_t n = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
	int passed = n < 0 ? -errno : passed_with(&message);

	if (n < 0)
		return errno == EAGAIN ? -ETIMEDOUT : passed;
	if (n == sizeof(answer) && answer.magic == PVSCHED_AGENT_MAGIC && answer.error > 0)
		return -answer.error;
	if (n != sizeof(answer) || answer.magic != PVSCHED_AGENT_MAGIC ||
	    answer.version != PVSCHED_AGENT_VERSION || passed < 0) {
		if (passed >= 0)
			close(passed);
		return -EPROTO;
	}
	*size = answer.size;
	return passed;
}

int pvsched_ask(const char *path, uint16_t type, long wait_us, int *connection, uint64_t *size)
{
	struct pvsched_agent_call call = pvsched_ask_call(type, 0);
	int passed, fd = pvsched_ask_connect(path, wait_us);

	if (fd < 0)
		return fd;
	/* EPIPE: it has refused already, and the answer says why */
	if (send(fd, &call, sizeof(call), MSG_NOSIGNAL) < 0 && errno != EPIPE)
		passed = -errno;
	else
		passed = receive(fd, size);
	if (passed < 0) {
		close(fd);
		return passed;
	}
	*connection = fd;
	return passed;
}
