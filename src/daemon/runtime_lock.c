// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/runtime_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/file.h>

#include "util/cleanup.h"

int runtime_lock(const char *runtime_dir)
{
	CLEANUP(cleanup_fd) int fd = -1;
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/lock", runtime_dir) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
		return -errno;
	fd = -1; /* kept open on purpose: it is the lock */
	return 0;
}
