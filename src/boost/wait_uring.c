// SPDX-License-Identifier: GPL-2.0-or-later
/* The only file with liburing. */
#include "boost/wait_uring.h"

#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <stdlib.h>

/* Of its queue: at least twice as many as there are descriptors, see wait.h. */
#define ENTRIES 8

struct wait_uring {
	struct io_uring ring;
	unsigned int n_fds;
	const int *fds;
	uint32_t unarmed; /* bits of those whose poll has ended, or not begun */
};

int wait_uring_open(struct wait_uring **ret, const int *fds, unsigned int n_fds)
{
	struct wait_uring *uring = calloc(1, sizeof(*uring));
	struct io_uring_params params = {
	        /* completions are made in the wait, and interrupt no thread */
	        .flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
	};
	int r;

	if (!uring)
		return -ENOMEM;
	r = io_uring_queue_init_params(ENTRIES, &uring->ring, &params);
	if (r < 0) {
		free(uring);
		return r;
	}
	/* saves a look-up of the descriptor; it works without */
	io_uring_register_ring_fd(&uring->ring);
	/* no part of it for a guardian that is forked later */
	io_uring_ring_dontfork(&uring->ring);
	uring->n_fds = n_fds;
	uring->fds = fds;
	uring->unarmed = (UINT32_C(1) << n_fds) - 1;
	*ret = uring;
	return 0;
}

struct wait_uring *wait_uring_close(struct wait_uring *uring)
{
	if (!uring)
		return NULL;
	io_uring_queue_exit(&uring->ring);
	free(uring);
	return NULL;
}

/* A multishot poll goes on after an event: in the long run nothing is submitted. */
static void arm(struct wait_uring *uring)
{
	for (unsigned int i = 0; uring->unarmed && i < uring->n_fds; i++) {
		struct io_uring_sqe *sqe;

		if (!(uring->unarmed & UINT32_C(1) << i))
			continue;
		sqe = io_uring_get_sqe(&uring->ring);
		if (!sqe)
			return; /* not to be expected, with twice the entries that are needed */
		io_uring_prep_poll_multishot(sqe, uring->fds[i], POLLIN);
		io_uring_sqe_set_data64(sqe, i);
		uring->unarmed &= ~(UINT32_C(1) << i);
	}
}

/* Takes the completions. */
static int reap(struct wait_uring *uring, uint32_t *ready)
{
	struct io_uring_cqe *cqe;
	unsigned int head, n = 0;
	int r = 0;

	*ready = 0;
	io_uring_for_each_cqe(&uring->ring, head, cqe)
	{
		uint32_t bit = UINT32_C(1) << cqe->user_data;

		if (cqe->res < 0)
			r = cqe->res;
		*ready |= bit;
		if (!(cqe->flags & IORING_CQE_F_MORE))
			uring->unarmed |= bit;
		n++;
	}
	io_uring_cq_advance(&uring->ring, n);
	return r;
}

int wait_uring_for(struct wait_uring *uring, uint64_t timeout_ns, uint32_t *ready)
{
	struct __kernel_timespec timeout = {
	        .tv_sec = (int64_t)(timeout_ns / NSEC_PER_SEC),
	        .tv_nsec = (long long)(timeout_ns % NSEC_PER_SEC),
	};
	struct io_uring_cqe *cqe;
	int r;

	arm(uring);
	r = io_uring_submit_and_wait_timeout(&uring->ring, &cqe, 1,
	                                     timeout_ns == NSEC_NEVER ? NULL : &timeout, NULL);
	if (r < 0 && r != -ETIME && r != -EINTR)
		return r;
	return reap(uring, ready);
}
