// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/runtime_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "util/cleanup.h"

static pid_t read_pid(int fd)
{
	char text[24] = "";

	if (pread(fd, text, sizeof(text) - 1, 0) < 0)
		return 0;
	return (pid_t)atoi(text);
}

int runtime_lock(const char *runtime_dir, pid_t *holder)
{
	CLEANUP(cleanup_fd) int fd = -1;
	char path[PATH_MAX];
	int r;

	*holder = 0;
	if (snprintf(path, sizeof(path), "%s/lock", runtime_dir) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		r = -errno;
		*holder = read_pid(fd);
		return r;
	}
	/* for people: without it the lock holds as well */
	if (ftruncate(fd, 0) == 0)
		dprintf(fd, "%d\n", getpid());
	fd = -1; /* kept open on purpose: it is the lock */
	return 0;
}
