// SPDX-License-Identifier: GPL-2.0-or-later
/* Preloaded into pvschedd: its netlink socket fails as soon as the file that NO_NETLINK names is
 * there. */
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

#include <netlink/errno.h>
#include <netlink/netlink.h>

int nl_recv(struct nl_sock *socket, struct sockaddr_nl *from, unsigned char **buffer,
            struct ucred **credentials)
{
	static int (*real)(struct nl_sock *, struct sockaddr_nl *, unsigned char **,
	                   struct ucred **);
	const char *path = getenv("NO_NETLINK");

	if (path && access(path, F_OK) == 0)
		return -NLE_BAD_SOCK;
	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "nl_recv");
	return real(socket, from, buffer, credentials);
}
