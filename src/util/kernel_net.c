// SPDX-License-Identifier: GPL-2.0-or-later
#include "util/kernel_net.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/cleanup.h"

/* About ten times the size of a kernel's BTF. */
#define BTF_BYTES_MAX (64 << 20)

#define PATH_BYTES_MAX 1024

/* Names stand between two NULs there. */
bool kernel_net_btf_has(const char *root, const char *name)
{
	CLEANUP(cleanup_fd) int fd = -1;
	CLEANUP(cleanup_free) char *text = NULL;
	size_t size = 0, length = strlen(name);
	char path[PATH_BYTES_MAX];
	ssize_t n = 1;

	snprintf(path, sizeof(path), "%s/sys/kernel/btf/vmlinux", root);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	text = fd < 0 ? NULL : malloc(BTF_BYTES_MAX);
	while (text && n > 0 && size < BTF_BYTES_MAX) {
		n = read(fd, text + size, BTF_BYTES_MAX - size);
		size += n > 0 ? (size_t)n : 0;
	}
	for (char *at = text; at && (at = memmem(at, size - (size_t)(at - text), name, length));
	     at++)
		if (at > text && at[-1] == '\0' && at + length < text + size && at[length] == '\0')
			return true;
	return false;
}

static bool read_number(const char *root, const char *name, long long *ret)
{
	CLEANUP(cleanup_fd) int fd = -1;
	char path[PATH_BYTES_MAX], text[64];
	ssize_t n;

	snprintf(path, sizeof(path), "%s%s", root, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (n <= 0)
		return false;
	text[n] = '\0';
	*ret = atoll(text);
	return true;
}

void kernel_net_look(const char *root, struct kernel_net *ret)
{
	char path[PATH_BYTES_MAX];

	*ret = (struct kernel_net){.period_us = 1000000};
	snprintf(path, sizeof(path), "%s" KERNEL_NET_FAIR_SERVER_DIR, root);
	ret->fair_server = access(path, F_OK) == 0 || kernel_net_btf_has(root, "fair_server");
	if (ret->fair_server)
		return;
	if (!read_number(root, "/proc/sys/kernel/sched_rt_period_us", &ret->period_us) ||
	    ret->period_us <= 0)
		ret->period_us = 1000000;
	ret->known = read_number(root, "/proc/sys/kernel/sched_rt_runtime_us", &ret->runtime_us);
}
