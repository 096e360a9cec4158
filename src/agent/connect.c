// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/connect.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <linux/vm_sockets.h>

#include "pvsched/channel.h"
#include "util/cleanup.h"

/* Ports below this one are left to others. */
#define PORT_MIN 512

static int bind_low(int fd)
{
	for (unsigned int port = PVSCHED_CHANNEL_PORT_MAX; port >= PORT_MIN; port--) {
		struct sockaddr_vm us = {
		        .svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_ANY, .svm_port = port};

		if (bind(fd, (const struct sockaddr *)&us, sizeof(us)) == 0)
			return 0;
		if (errno != EADDRINUSE)
			return -errno;
	}
	return -EADDRINUSE;
}

static int begin(int fd, const void *address, socklen_t size)
{
	if (connect(fd, address, size) == 0 || errno == EINPROGRESS)
		return 0;
	return -errno;
}

int connect_vsock(uint32_t port)
{
	struct sockaddr_vm host = {
	        .svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_HOST, .svm_port = port};
	int fd CLEANUP(cleanup_fd) =
	        socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int r = fd < 0 ? -errno : bind_low(fd);

	if (r == 0)
		r = begin(fd, &host, sizeof(host));
	return r < 0 ? r : STEAL(fd, -1);
}

int connect_unix(const char *path)
{
	struct sockaddr_un host = {.sun_family = AF_UNIX};
	int fd CLEANUP(cleanup_fd) = -1;
	int r;

	if (strlen(path) >= sizeof(host.sun_path))
		return -ENAMETOOLONG;
	strcpy(host.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	r = fd < 0 ? -errno : begin(fd, &host, sizeof(host));
	return r < 0 ? r : STEAL(fd, -1);
}

int connect_result(int fd)
{
	int error = 0;
	socklen_t size = sizeof(error);

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
		return -errno;
	return -error;
}
