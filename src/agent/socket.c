// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/socket.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/ask.h"
#include "util/cleanup.h"

#define BACKLOG 64

/* Another agent that hangs is one, too. */
#define OTHER_WAIT_US 1000000

int socket_listen(const char *path)
{
	int fd CLEANUP(cleanup_fd) = -1, other;
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	other = pvsched_ask_connect(path, OTHER_WAIT_US);
	if (other >= 0 || other == -EAGAIN) {
		close_fd(other);
		return -EADDRINUSE;
	}
	if (other == -ECONNREFUSED) /* of an agent that was killed */
		unlink(path);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	/* what a user may do depends on SO_PEERCRED and the configuration */
	if (chmod(path, 0666) < 0 || listen(fd, BACKLOG) < 0)
		return -errno;
	return STEAL(fd, -1);
}

bool socket_call_valid(const void *data, size_t size, struct pvsched_agent_call *ret)
{
	if (size != sizeof(*ret))
		return false;
	memcpy(ret, data, sizeof(*ret));
	return ret->magic == PVSCHED_AGENT_MAGIC && ret->version == PVSCHED_AGENT_VERSION &&
	       ret->type >= PVSCHED_AGENT_REGION && ret->type <= PVSCHED_AGENT_STATUS &&
	       ret->reserved == 0 && (ret->cpu == 0 || ret->type == PVSCHED_AGENT_LOOK);
}

int socket_call(int fd, struct pvsched_agent_call *ret)
{
	char data[sizeof(*ret) + 1]; /* a longer message is noticed */
	ssize_t n = recv(fd, data, sizeof(data), MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (n == 0)
		return -ECONNRESET;
	return socket_call_valid(data, (size_t)n, ret) ? 1 : -EBADMSG;
}

int socket_answer(int fd, uint16_t type, int error, int pass, uint64_t size)
{
	struct pvsched_agent_answer answer = {
	        .magic = PVSCHED_AGENT_MAGIC,
	        .version = PVSCHED_AGENT_VERSION,
	        .type = type,
	        .error = -error,
	        .size = error ? 0 : size,
	};
	struct iovec data = {&answer, sizeof(answer)};
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {0};
	struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1};

	if (error == 0) {
		struct cmsghdr *header = (struct cmsghdr *)(void *)control;

		message.msg_control = control;
		message.msg_controllen = sizeof(control);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(header), &pass, sizeof(pass));
	}
	return sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}
