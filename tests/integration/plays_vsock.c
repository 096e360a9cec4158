// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Preloaded into pvschedd, where the kernel has no vsock of guests: its vsock socket is the Unix
 * socket at PLAYS_VSOCK, and a client whose abstract address is "vsock CID PORT ..." is a guest
 * with that CID and port.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <linux/vm_sockets.h>

static int listener = -1;

int socket(int domain, int type, int protocol)
{
	static int (*real)(int, int, int);
	int fd;

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "socket");
	if (domain != AF_VSOCK)
		return real(domain, type, protocol);
	fd = real(AF_UNIX, type, 0);
	listener = fd;
	return fd;
}

int bind(int fd, const struct sockaddr *address, socklen_t size)
{
	static int (*real)(int, const struct sockaddr *, socklen_t);
	struct sockaddr_un path = {.sun_family = AF_UNIX};

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "bind");
	if (address->sa_family != AF_VSOCK)
		return real(fd, address, size);
	snprintf(path.sun_path, sizeof(path.sun_path), "%s", getenv("PLAYS_VSOCK"));
	unlink(path.sun_path); /* of a daemon that was killed */
	return real(fd, (struct sockaddr *)&path, sizeof(path));
}

int accept4(int fd, struct sockaddr *address, socklen_t *size, int flags)
{
	static int (*real)(int, struct sockaddr *, socklen_t *, int);
	struct sockaddr_vm vm = {.svm_family = AF_VSOCK};
	struct sockaddr_un from = {0};
	socklen_t length = sizeof(from) - 1; /* ends with a zero */
	int r;

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "accept4");
	if (fd != listener || !address || *size < sizeof(vm))
		return real(fd, address, size, flags);
	r = real(fd, (struct sockaddr *)&from, &length, flags);
	sscanf(from.sun_path + 1, "vsock %u %u ", &vm.svm_cid, &vm.svm_port);
	memcpy(address, &vm, sizeof(vm));
	*size = sizeof(vm);
	return r;
}
