// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/uevents.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/netlink.h>

#include "util/cleanup.h"

#define KERNEL_GROUP 1

/* True: @text begins with @word. */
static bool begins(const char *text, size_t size, const char *word)
{
	return size >= strlen(word) && memcmp(text, word, strlen(word)) == 0;
}

enum uevent_kind uevent_parse(const char *text, size_t size)
{
	size_t length = strnlen(text, size);
	bool comes = begins(text, length, "add@") || begins(text, length, "bind@");

	if (!memchr(text, '@', length))
		return UEVENT_OTHER;
	for (size_t at = length + 1; at < size; at += length + 1) {
		length = strnlen(text + at, size - at);
		if (length == strlen("SUBSYSTEM=cpu") && begins(text + at, length, "SUBSYSTEM=cpu"))
			return UEVENT_CPU;
		if (comes && length == strlen("SUBSYSTEM=virtio") &&
		    begins(text + at, length, "SUBSYSTEM=virtio"))
			return UEVENT_VIRTIO;
	}
	return UEVENT_OTHER;
}

int uevents_open(void)
{
	struct sockaddr_nl us = {.nl_family = AF_NETLINK, .nl_groups = KERNEL_GROUP};
	int fd CLEANUP(cleanup_fd) = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
	                                    NETLINK_KOBJECT_UEVENT);

	if (fd < 0 || bind(fd, (const struct sockaddr *)&us, sizeof(us)) < 0)
		return -errno;
	return STEAL(fd, -1);
}

int uevents_next(int fd, enum uevent_kind *ret)
{
	char text[8192]; /* the kernel's limit is 2 KiB of strings, and the path */
	struct sockaddr_nl from;
	socklen_t size = sizeof(from);
	ssize_t n = recvfrom(fd, text, sizeof(text), MSG_DONTWAIT, (struct sockaddr *)&from, &size);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	/* a process can send such messages, too */
	*ret = size == sizeof(from) && from.nl_pid == 0 ? uevent_parse(text, (size_t)n)
	                                                : UEVENT_OTHER;
	return 1;
}
