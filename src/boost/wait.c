// SPDX-License-Identifier: GPL-2.0-or-later
#include "boost/wait.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

#include "boost/wait_uring.h"
#include "util/cleanup.h"
#include "util/clock.h"

struct wait {
	int epoll_fd;
	struct wait_uring *uring; /* NULL: by epoll */
	unsigned int n_fds;
	int fds[WAIT_FDS_MAX];
};

int wait_open(struct wait **ret, const int *fds, unsigned int n_fds)
{
	struct wait *wait = calloc(1, sizeof(*wait));
	int r = 0;

	if (!wait)
		return -ENOMEM;
	wait->n_fds = n_fds;
	memcpy(wait->fds, fds, n_fds * sizeof(*fds));
	wait->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (wait->epoll_fd < 0)
		r = -errno;
	for (unsigned int i = 0; r == 0 && i < n_fds; i++) {
		struct epoll_event event = {.events = EPOLLIN, .data.u32 = i};

		if (epoll_ctl(wait->epoll_fd, EPOLL_CTL_ADD, fds[i], &event) < 0)
			r = -errno;
	}
	if (r < 0) {
		wait_close(wait);
		return r;
	}
	*ret = wait;
	return 0;
}

struct wait *wait_close(struct wait *wait)
{
	if (!wait)
		return NULL;
	wait_uring_close(wait->uring);
	close_fd(wait->epoll_fd);
	free(wait);
	return NULL;
}

int wait_use_io_uring(struct wait *wait)
{
	return wait_uring_open(&wait->uring, wait->fds, wait->n_fds);
}

bool wait_uses_io_uring(const struct wait *wait)
{
	return wait->uring != NULL;
}

static uint32_t epoll_for(const struct wait *wait, uint64_t timeout_ns)
{
	struct epoll_event events[WAIT_FDS_MAX];
	struct timespec timeout = {
	        .tv_sec = (time_t)(timeout_ns / NSEC_PER_SEC),
	        .tv_nsec = (long)(timeout_ns % NSEC_PER_SEC),
	};
	uint32_t ready = 0;
	int n;

	n = epoll_pwait2(wait->epoll_fd, events, (int)wait->n_fds,
	                 timeout_ns == NSEC_NEVER ? NULL : &timeout, NULL);
	if (n < 0)
		return (UINT32_C(1) << wait->n_fds) - 1;
	for (int i = 0; i < n; i++)
		ready |= UINT32_C(1) << events[i].data.u32;
	return ready;
}

uint32_t wait_until(struct wait *wait, uint64_t deadline_ns)
{
	uint64_t timeout_ns = NSEC_NEVER;
	uint32_t ready;

	if (deadline_ns != NSEC_NEVER) {
		uint64_t now_ns = clock_now_ns();

		timeout_ns = deadline_ns > now_ns ? deadline_ns - now_ns : 0;
	}
	if (wait->uring && wait_uring_for(wait->uring, timeout_ns, &ready) == 0)
		return ready;
	/* epoll finds what io_uring did not tell, since it looks before it sleeps */
	if (wait->uring)
		wait->uring = wait_uring_close(wait->uring);
	return epoll_for(wait, timeout_ns);
}
