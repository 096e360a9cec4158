// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/resume.h"

#include <errno.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "util/cleanup.h"

/*
 * A timer far away on the clock that may be set is cancelled when the kernel wakes up: there is no
 * other news of that without a service of another program.
 */
static int arm(int fd)
{
	struct itimerspec never = {.it_value.tv_sec = INT32_MAX};

	return timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, NULL);
}

int resume_open(void)
{
	int fd CLEANUP(cleanup_fd) = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);

	if (fd < 0 || arm(fd) < 0)
		return -errno;
	return STEAL(fd, -1);
}

bool resume_seen(int fd)
{
	uint64_t times;
	bool seen = read(fd, &times, sizeof(times)) < 0 && errno == ECANCELED;

	arm(fd);
	return seen;
}
