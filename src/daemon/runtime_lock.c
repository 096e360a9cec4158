// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/runtime_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/clock.h"

#define DEAD_HOLDER_NS (1 * NSEC_PER_SEC)
#define STEP_US        10000

static pid_t read_pid(int fd)
{
	char text[24] = "";

	if (pread(fd, text, sizeof(text) - 1, 0) < 0)
		return 0;
	return (pid_t)atoi(text);
}

/*
 * A child that a daemon had just forked when it was killed keeps the lock until it has closed what
 * it inherited. That is waited for.
 */
static int take(int fd, pid_t *holder)
{
	uint64_t until_ns = clock_now_ns() + DEAD_HOLDER_NS;

	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		int r = -errno;

		*holder = read_pid(fd);
		if (r != -EWOULDBLOCK || *holder <= 0 || kill(*holder, 0) == 0 || errno != ESRCH ||
		    clock_now_ns() > until_ns)
			return r;
		usleep(STEP_US);
	}
	*holder = 0;
	return 0;
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
	r = take(fd, holder);
	if (r < 0)
		return r;
	/* for people: without it the lock holds as well */
	if (ftruncate(fd, 0) == 0)
		dprintf(fd, "%d\n", getpid());
	fd = -1; /* kept open on purpose: it is the lock */
	return 0;
}
