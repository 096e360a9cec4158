/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "virt/processes.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "util/clock.h"
#include "util/duty.h"
#include "virt/process_watch.h"
#include "virt/source_thread.h"

/** With hints, everything is still looked at now and then: a hint may be lost. */
#define INTERVAL_WITH_HINTS_NS (60 * NSEC_PER_SEC)
#define INTERVAL_ALONE_NS      (1 * NSEC_PER_SEC)

/** Hints kept one by one; more than these become one hint about all processes. */
#define HINTS_MAX 64

/** Hints are taken at most this often: any process can name its threads like vCPUs, at any rate. */
#define HINTS_INTERVAL_NS    (50 * NSEC_PER_MSEC)
#define HINT_ALL_INTERVAL_NS NSEC_PER_SEC

struct process_source {
	struct source_thread thread;
	struct process_watch watch; /* for the thread only, as the next two */
	uint64_t hints_ns;          /* when it last took hints */
	struct duty duty;           /* of that */
	uint64_t hint_all_ns;       /* when it may take one about all again */
	struct duty all_duty;       /* of the looks that follow from that */
	bool all_looks;             /* the next pass has them */

	/* under thread.lock */
	bool hint_all;
	size_t n_hints;
	pid_t hints[HINTS_MAX];
};

static struct process_source *source_destroy(struct process_source *source)
{
	source_thread_clear(&source->thread);
	free(source);
	return NULL;
}

static uint64_t hints_due_ns(const struct process_source *source)
{
	return MAX(source->hints_ns + HINTS_INTERVAL_NS, duty_next_ns(&source->duty));
}

/** Passes the hints to the watch, if it is time. */
static void take_hints(struct process_source *source, uint64_t now_ns)
{
	uint64_t begin_ns = clock_thread_ns();
	pid_t hints[HINTS_MAX];
	size_t i, n = 0;
	bool all = false, rests = duty_next_ns(&source->all_duty) > now_ns;

	if (now_ns < hints_due_ns(source))
		return;
	pthread_mutex_lock(&source->thread.lock);
	if (source->hint_all && now_ns >= source->hint_all_ns) {
		all = true;
		source->hint_all = rests;
	}
	n = source->n_hints;
	memcpy(hints, source->hints, sizeof(hints));
	source->n_hints = 0;
	pthread_mutex_unlock(&source->thread.lock);
	for (i = 0; i < n; i++)
		process_watch_hint(&source->watch, hints[i], now_ns);
	if (all) {
		source->hint_all_ns = now_ns + HINT_ALL_INTERVAL_NS;
		if (rests)
			process_watch_list(&source->watch, now_ns);
		else
			process_watch_hint_all(&source->watch, now_ns);
		source->all_looks = !rests;
	}
	if (n > 0 || all) {
		source->hints_ns = now_ns;
		duty_use(&source->duty, clock_thread_ns() - begin_ns, clock_now_ns());
	}
}

/** Returns when waiting hints may be taken; NSEC_NEVER if none wait. */
static uint64_t next_hints(struct process_source *source)
{
	uint64_t next_ns = NSEC_NEVER;

	pthread_mutex_lock(&source->thread.lock);
	if (source->hint_all)
		next_ns = source->hint_all_ns;
	if (source->n_hints > 0)
		next_ns = 0;
	pthread_mutex_unlock(&source->thread.lock);
	return next_ns == NSEC_NEVER ? next_ns : MAX(next_ns, hints_due_ns(source));
}

static void wait_until(struct process_source *source, uint64_t until_ns)
{
	struct pollfd fd = {.fd = source->thread.wake_fd, .events = POLLIN};
	uint64_t now_ns = clock_now_ns(), left_ns = until_ns > now_ns ? until_ns - now_ns : 0;
	struct timespec timeout = {.tv_sec = (time_t)(left_ns / NSEC_PER_SEC),
	                           .tv_nsec = (long)(left_ns % NSEC_PER_SEC)};
	eventfd_t count;

	if (ppoll(&fd, 1, until_ns == NSEC_NEVER ? NULL : &timeout, NULL) > 0)
		eventfd_read(source->thread.wake_fd, &count);
}

static uint64_t pass(struct process_source *source)
{
	uint64_t begin_ns = clock_thread_ns();
	uint64_t next_ns = process_watch_pass(&source->watch, clock_now_ns());

	if (source->all_looks)
		duty_use(&source->all_duty, clock_thread_ns() - begin_ns, clock_now_ns());
	source->all_looks = false;
	return next_ns;
}

static void *run(void *userdata)
{
	struct process_source *source = userdata;

	while (!source_thread_stopping(&source->thread)) {
		uint64_t next_ns, hints_ns;

		take_hints(source, clock_now_ns());
		next_ns = pass(source);
		hints_ns = next_hints(source);
		wait_until(source, MIN(next_ns, hints_ns));
	}
	process_watch_finish(&source->watch);
	if (source_thread_leave(&source->thread))
		source_destroy(source);
	return NULL;
}

static int source_fill(struct process_source *source, const struct process_options *options)
{
	uint64_t interval_ns = options->hints ? INTERVAL_WITH_HINTS_NS : INTERVAL_ALONE_NS;
	int r = source_thread_init(&source->thread, "a process", options->run_dir);

	if (r < 0)
		return r;
	source->watch.run_dir = source->thread.run_dir;
	source->watch.rescan_ns = source->watch.list_ns = interval_ns;
	source->watch.leave_libvirts = options->leave_libvirts;
	source->watch.criteria = options->criteria;
	source->watch.cmdlines.reader = options->cmdlines;
	source->watch.labels.reader = options->confs;
	source->watch.queue = source->thread.queue;
	source->watch.status = &source->thread.status;
	return source_thread_start(&source->thread, "pvschedd-procfs", run, source);
}

int process_source_new(struct process_source **ret, const struct process_options *options)
{
	struct process_source *source = calloc(1, sizeof(*source));
	int r;

	if (!source)
		return -ENOMEM;
	r = source_fill(source, options);
	if (r < 0) {
		source_destroy(source);
		return r;
	}
	*ret = source;
	return 0;
}

struct process_source *process_source_free(struct process_source *source)
{
	if (source && source_thread_stop(&source->thread))
		source_destroy(source);
	return NULL;
}

int process_source_fd(const struct process_source *source)
{
	return event_queue_fd(source->thread.queue);
}

bool process_source_next(struct process_source *source, struct virt_event *ret)
{
	return event_queue_pop(source->thread.queue, ret);
}

static bool hint_waits(const struct process_source *source, pid_t pid)
{
	size_t i;

	for (i = 0; i < source->n_hints; i++)
		if (source->hints[i] == pid)
			return true;
	return false;
}

void process_source_hint(struct process_source *source, pid_t pid)
{
	bool wake = false; /* not needed by a thread that has hints to come back for */

	pthread_mutex_lock(&source->thread.lock);
	if (pid == 0 || (source->n_hints == HINTS_MAX && !hint_waits(source, pid))) {
		wake = !source->hint_all;
		source->hint_all = true;
	} else if (!hint_waits(source, pid)) {
		wake = source->n_hints == 0;
		source->hints[source->n_hints++] = pid;
	}
	pthread_mutex_unlock(&source->thread.lock);
	if (wake)
		source_thread_wake(&source->thread);
}

bool process_source_describe(struct process_source *source, char *text, size_t size)
{
	return source_status_describe(&source->thread.status, clock_now_ns(), text, size);
}
