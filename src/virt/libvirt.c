/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "virt/libvirt.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include <libxml/parser.h>

#include "util/cleanup.h"
#include "util/clock.h"
#include "virt/watch.h"

#define RESCAN_DEFAULT_NS   (NSEC_PER_SEC / 2) /* so that a hotplug is noticed within a second */
#define KEEPALIVE_DEFAULT_S 5

/** Hints kept one by one; more become a hint about all. */
#define HINTS_MAX 64

/** The longest wait of the loop: nothing depends on it. */
#define WAIT_MAX_MS 60000

struct virt_source {
	pthread_t thread;
	struct event_queue *queue;
	struct source_status status;
	int wake_fd; /* eventfd: tells the thread to look at what follows */
	char *uri, *run_dir;
	struct watch watch; /* the thread's own */

	pthread_mutex_t lock; /* guards the rest */
	unsigned int refs;    /* the owner and the thread; the last one frees */
	bool stop;
	bool hint_all;
	size_t n_hints;
	char hints[HINTS_MAX][DOMAIN_UUID_LEN];
};

static struct virt_source *source_destroy(struct virt_source *source)
{
	event_queue_free(source->queue);
	close_fd(source->wake_fd);
	free(source->uri);
	free(source->run_dir);
	pthread_mutex_destroy(&source->lock);
	free(source);
	return NULL;
}

static void source_unref(struct virt_source *source)
{
	unsigned int refs;

	pthread_mutex_lock(&source->lock);
	refs = --source->refs;
	pthread_mutex_unlock(&source->lock);
	if (refs == 0)
		source_destroy(source);
}

/** Takes the hints over to the watch. Returns false when the thread is to end. */
static bool take_orders(struct virt_source *source, uint64_t now_ns)
{
	char hints[HINTS_MAX][DOMAIN_UUID_LEN];
	size_t i, n;
	bool all, stop;

	pthread_mutex_lock(&source->lock);
	stop = source->stop;
	all = source->hint_all;
	n = source->n_hints;
	memcpy(hints, source->hints, sizeof(hints));
	source->hint_all = false;
	source->n_hints = 0;
	pthread_mutex_unlock(&source->lock);
	if (all)
		watch_hint(&source->watch, NULL, now_ns);
	for (i = 0; i < n; i++)
		watch_hint(&source->watch, hints[i], now_ns);
	return !stop;
}

static int wait_ms(uint64_t until_ns)
{
	uint64_t now_ns = clock_now_ns(), ms;

	if (until_ns <= now_ns)
		return 0;
	ms = (until_ns - now_ns + NSEC_PER_MSEC - 1) / NSEC_PER_MSEC;
	return (int)MIN(ms, (uint64_t)WAIT_MAX_MS);
}

static void *run(void *userdata)
{
	struct virt_source *source = userdata;

	if (watch_init(&source->watch) < 0) {
		source_status_set(&source->status, false, "the event loop could not be set up");
		source_unref(source);
		return NULL;
	}
	while (take_orders(source, clock_now_ns()))
		connection_run_loop(wait_ms(watch_pass(&source->watch, clock_now_ns())));
	watch_finish(&source->watch);
	source_unref(source);
	return NULL;
}

/** Starts the thread with all signals blocked: they are the main thread's. */
static int start_thread(struct virt_source *source)
{
	sigset_t all, old;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(&source->thread, NULL, run, source);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (r == 0)
		pthread_setname_np(source->thread, "pvschedd-virt");
	return -r;
}

static int source_fill(struct virt_source *source, const struct virt_options *options)
{
	int r;

	source->run_dir = strdup(options->run_dir ? options->run_dir : "/run");
	source->uri = options->uri ? strdup(options->uri) : NULL;
	if (!source->run_dir || (options->uri && !source->uri))
		return -ENOMEM;
	source->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (source->wake_fd < 0)
		return -errno;
	r = event_queue_new(&source->queue);
	if (r < 0)
		return r;
	source->watch.uri = source->uri;
	source->watch.run_dir = source->run_dir;
	source->watch.keepalive_s =
	        options->keepalive_s ? options->keepalive_s : KEEPALIVE_DEFAULT_S;
	source->watch.rescan_ns = options->rescan_ns ? options->rescan_ns : RESCAN_DEFAULT_NS;
	source->watch.queue = source->queue;
	source->watch.status = &source->status;
	source->watch.wake_fd = source->wake_fd;
	return 0;
}

int virt_source_new(struct virt_source **ret, const struct virt_options *options)
{
	struct virt_source *source;
	int r = connection_init();

	if (r < 0)
		return r;
	xmlInitParser(); /* once, before there are threads that parse */
	source = calloc(1, sizeof(*source));
	if (!source)
		return -ENOMEM;
	source->wake_fd = -1;
	source->refs = 2;
	source->status = SOURCE_STATUS_INIT("libvirt");
	pthread_mutex_init(&source->lock, NULL);
	r = source_fill(source, options);
	if (r == 0)
		r = start_thread(source);
	if (r < 0) {
		source_destroy(source);
		return r;
	}
	*ret = source;
	return 0;
}

struct virt_source *virt_source_free(struct virt_source *source)
{
	struct timespec until;

	if (!source)
		return NULL;
	pthread_mutex_lock(&source->lock);
	source->stop = true;
	pthread_mutex_unlock(&source->lock);
	eventfd_write(source->wake_fd, 1);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += (time_t)(VIRT_STOP_NS / NSEC_PER_SEC);
	if (pthread_timedjoin_np(source->thread, NULL, &until) != 0)
		pthread_detach(source->thread);
	source_unref(source);
	return NULL;
}

void virt_source_cleanup(struct virt_source **source)
{
	virt_source_free(*source);
}

int virt_source_fd(const struct virt_source *source)
{
	return event_queue_fd(source->queue);
}

bool virt_source_next(struct virt_source *source, struct virt_event *ret)
{
	return event_queue_pop(source->queue, ret);
}

static bool hint_waits(const struct virt_source *source, const char *uuid)
{
	size_t i;

	for (i = 0; i < source->n_hints; i++)
		if (strcmp(source->hints[i], uuid) == 0)
			return true;
	return false;
}

void virt_source_rescan(struct virt_source *source, const char *uuid)
{
	pthread_mutex_lock(&source->lock);
	if (!uuid || source->n_hints == HINTS_MAX)
		source->hint_all = true;
	else if (strlen(uuid) < DOMAIN_UUID_LEN && !hint_waits(source, uuid))
		strcpy(source->hints[source->n_hints++], uuid);
	pthread_mutex_unlock(&source->lock);
	eventfd_write(source->wake_fd, 1);
}

bool virt_source_describe(struct virt_source *source, char *text, size_t size)
{
	return source_status_describe(&source->status, clock_now_ns(), text, size);
}
