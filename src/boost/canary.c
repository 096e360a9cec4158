// SPDX-License-Identifier: GPL-2.0-or-later
#include "boost/canary.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "boost/sched.h"
#include "policy/canary.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/thread.h"

#define CANARY_STACK_BYTES (64 * 1024)
#define CANARY_END_NS      (200 * NSEC_PER_MSEC)

struct canary {
	pthread_t thread;
	int wake_fd;
	_Atomic pid_t tid;
	_Atomic bool ends;
	_Atomic uint64_t ran_ns;

	/* for the booster thread alone */
	struct canary_watch watch;
	uint64_t asked_ns;
	struct canary_totals totals;
};

static void wake(const struct canary *canary)
{
	ssize_t n = eventfd_write(canary->wake_fd, 1);

	(void)n; /* fails only at 2^64 - 1 unread wishes */
}

static void *canary_main(void *userdata)
{
	struct canary *canary = userdata;
	eventfd_t wishes;

	prctl(PR_SET_NAME, "canary");
	atomic_store(&canary->tid, gettid());
	while (!atomic_load(&canary->ends)) {
		if (eventfd_read(canary->wake_fd, &wishes) < 0 && errno != EINTR)
			break;
		atomic_store(&canary->ran_ns, clock_now_ns());
	}
	return NULL;
}

int canary_start(struct canary **ret)
{
	struct canary *canary = calloc(1, sizeof(*canary));
	int r;

	if (!canary)
		return -ENOMEM;
	canary->watch = CANARY_WATCH_INIT;
	canary->wake_fd = eventfd(0, EFD_CLOEXEC);
	r = canary->wake_fd < 0
	            ? -errno
	            : thread_begin(&canary->thread, CANARY_STACK_BYTES, canary_main, canary);
	if (r < 0) {
		close_fd(canary->wake_fd);
		free(canary);
		return r;
	}
	*ret = canary;
	return 0;
}

struct canary *canary_stop(struct canary *canary)
{
	if (!canary)
		return NULL;
	atomic_store(&canary->ends, true);
	wake(canary);
	if (!thread_join_within(canary->thread, CANARY_END_NS))
		return NULL; /* it gets no CPU, and ends with the process */
	close_fd(canary->wake_fd);
	free(canary);
	return NULL;
}

/* An error means a CPU that is gone, or not in our cpuset: nothing is known of it then. */
static void ask(struct canary *canary, unsigned int cpu, uint64_t now_ns)
{
	pid_t tid = atomic_load(&canary->tid);
	struct cpu_set_bits there = CPU_SET_BITS_NULL, missing;
	int r = -EAGAIN; /* it has not begun yet */

	cpu_set_bits_add(&there, cpu);
	if (tid)
		r = sched_set_cpus(tid, &there, &missing);
	if (r != 0) {
		canary->watch = CANARY_WATCH_INIT;
		canary->totals.unmovable++;
		canary->totals.unmovable_error = r < 0 ? r : -EINVAL;
		return;
	}
	canary->totals.asked++;
	canary->asked_ns = now_ns;
	wake(canary);
}

/* Has it run since it was asked? */
static bool has_run(struct canary *canary)
{
	uint64_t ran_ns = atomic_load(&canary->ran_ns);

	if (canary->watch.cpu < 0 || ran_ns < canary->asked_ns)
		return false;
	canary->totals.answered++;
	canary->totals.wait_max_ns = MAX(canary->totals.wait_max_ns, ran_ns - canary->asked_ns);
	return true;
}

bool canary_check(struct canary *canary, unsigned int cpu, uint64_t elevated_ns, uint64_t now_ns)
{
	if (!canary)
		return false;
	switch (canary_consumed(&canary->watch, (int)cpu, elevated_ns, has_run(canary), now_ns)) {
	case CANARY_FINE:
		break;
	case CANARY_ASK:
		ask(canary, cpu, now_ns);
		break;
	case CANARY_STARVES:
		canary->totals.starved++;
		return true;
	}
	return false;
}

void canary_read(const struct canary *canary, struct canary_totals *ret)
{
	*ret = canary ? canary->totals : (struct canary_totals){0};
	ret->running = canary != NULL;
}
