// SPDX-License-Identifier: GPL-2.0-or-later
#include "boost/call.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>

#include "util/cleanup.h"

struct call {
	call_fn *fn;
	void *arg;
	int result;
};

static void ring(int fd)
{
	ssize_t n = eventfd_write(fd, 1);

	(void)n; /* fails only at 2^64 - 1 unread rings */
}

static void quiet(int fd)
{
	eventfd_t value;
	int r = eventfd_read(fd, &value);

	(void)r; /* EAGAIN: it did not ring */
}

int calls_init(struct calls *calls)
{
	*calls = CALLS_NULL;
	calls->request_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (calls->request_fd < 0)
		return -errno;
	calls->reply_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return calls->reply_fd < 0 ? -errno : 0;
}

void calls_close(struct calls *calls)
{
	calls->request_fd = close_fd(calls->request_fd);
	calls->reply_fd = close_fd(calls->reply_fd);
}

int calls_run(struct calls *calls, call_fn *fn, void *arg)
{
	struct pollfd pfd = {.fd = calls->reply_fd, .events = POLLIN};
	struct call call = {.fn = fn, .arg = arg}, *none = NULL;
	int r;

	if (!atomic_compare_exchange_strong(&calls->posted, &none, &call))
		return -ETIMEDOUT;
	ring(calls->request_fd);
	/*
	 * Twice: after the whole process was stopped for a while the first wait is over at once,
	 * and the booster is about to answer.
	 */
	for (int i = 0; i < 2; i++) {
		do
			r = poll(&pfd, 1, CALL_TIMEOUT_MS);
		while (r < 0 && errno == EINTR);
		if (r != 0)
			break;
	}
	if (r <= 0)
		return r < 0 ? -errno : -ETIMEDOUT;
	quiet(calls->reply_fd);
	return call.result;
}

void calls_serve(struct calls *calls, struct booster *booster)
{
	struct call *call;

	quiet(calls->request_fd);
	call = atomic_load_explicit(&calls->posted, memory_order_acquire);
	if (!call)
		return;
	call->result = call->fn(booster, call->arg);
	/* the call may be gone from here on */
	atomic_store_explicit(&calls->posted, NULL, memory_order_release);
	ring(calls->reply_fd);
}
