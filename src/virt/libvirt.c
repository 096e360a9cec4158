/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "virt/libvirt.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/clock.h"
#include "util/duty.h"
#include "virt/source_thread.h"
#include "virt/watch.h"

#define RESCAN_DEFAULT_NS   (NSEC_PER_SEC / 2) /* so that a hotplug is noticed within a second */
#define KEEPALIVE_DEFAULT_S 5

/** Hints kept one by one; more than these become one hint about all domains. */
#define HINTS_MAX 64

/** A hint about all domains is taken at most this often: it means that hints come in a storm. */
#define HINT_ALL_INTERVAL_NS NSEC_PER_SEC

/** The loop's longest wait; nothing depends on it. */
#define WAIT_MAX_MS 60000

struct virt_source {
	struct source_thread thread;
	char *uri;
	struct watch watch;   /* for the thread only, as the next one */
	uint64_t hint_all_ns; /* when it may take one about all again */
	struct duty all_duty; /* of the looks that follow from that */
	bool all_looks;       /* the next pass has them */

	/* under thread.lock */
	bool hint_all;
	size_t n_hints;
	char hints[HINTS_MAX][DOMAIN_UUID_LEN];
};

static struct virt_source *source_destroy(struct virt_source *source)
{
	source_thread_clear(&source->thread);
	free(source->uri);
	free(source);
	return NULL;
}

/**
 * Passes the hints to the watch; *all_waits: one about all waits for its time. Returns false when
 * the thread must end.
 */
static bool take_orders(struct virt_source *source, uint64_t now_ns, bool *all_waits)
{
	char hints[HINTS_MAX][DOMAIN_UUID_LEN];
	size_t i, n;
	bool all, stop;

	pthread_mutex_lock(&source->thread.lock);
	stop = source->thread.stop;
	all = source->hint_all && now_ns >= source->hint_all_ns;
	n = source->n_hints;
	memcpy(hints, source->hints, sizeof(hints));
	if (all)
		source->hint_all = false;
	*all_waits = source->hint_all;
	source->n_hints = 0;
	pthread_mutex_unlock(&source->thread.lock);
	if (all) {
		watch_hint(&source->watch, NULL, now_ns);
		source->all_looks = true;
	}
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

static uint64_t pass(struct virt_source *source)
{
	uint64_t begin_ns = clock_thread_ns(), now_ns = clock_now_ns();
	uint64_t next_ns = watch_pass(&source->watch, now_ns);

	if (!source->all_looks)
		return next_ns;
	source->all_looks = false;
	duty_use(&source->all_duty, clock_thread_ns() - begin_ns, clock_now_ns());
	source->hint_all_ns = MAX(now_ns + HINT_ALL_INTERVAL_NS, duty_next_ns(&source->all_duty));
	return next_ns;
}

static void *run(void *userdata)
{
	struct virt_source *source = userdata;
	bool all_waits;

	if (watch_init(&source->watch) < 0) {
		source_status_set(&source->thread.status, false,
		                  "the event loop could not be set up");
	} else {
		while (take_orders(source, clock_now_ns(), &all_waits)) {
			uint64_t next_ns = pass(source);

			if (all_waits)
				next_ns = MIN(next_ns, source->hint_all_ns);
			connection_run_loop(wait_ms(next_ns));
		}
		watch_finish(&source->watch);
	}
	if (source_thread_leave(&source->thread))
		source_destroy(source);
	return NULL;
}

static int source_fill(struct virt_source *source, const struct virt_options *options)
{
	int r = source_thread_init(&source->thread, "libvirt", options->run_dir);

	if (r < 0)
		return r;
	source->uri = options->uri ? strdup(options->uri) : NULL;
	if (options->uri && !source->uri)
		return -ENOMEM;
	source->watch.uri = source->uri;
	source->watch.run_dir = source->thread.run_dir;
	source->watch.keepalive_s =
	        options->keepalive_s ? options->keepalive_s : KEEPALIVE_DEFAULT_S;
	source->watch.rescan_ns = options->rescan_ns ? options->rescan_ns : RESCAN_DEFAULT_NS;
	source->watch.cmdlines.reader = options->cmdlines;
	source->watch.queue = source->thread.queue;
	source->watch.status = &source->thread.status;
	source->watch.wake_fd = source->thread.wake_fd;
	return source_thread_start(&source->thread, "pvschedd-virt", run, source);
}

int virt_source_new(struct virt_source **ret, const struct virt_options *options)
{
	struct virt_source *source;
	int r = connection_init();

	if (r < 0)
		return r;
	source = calloc(1, sizeof(*source));
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

struct virt_source *virt_source_free(struct virt_source *source)
{
	if (source && source_thread_stop(&source->thread))
		source_destroy(source);
	return NULL;
}

int virt_source_fd(const struct virt_source *source)
{
	return event_queue_fd(source->thread.queue);
}

bool virt_source_next(struct virt_source *source, struct virt_event *ret)
{
	return event_queue_pop(source->thread.queue, ret);
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
	pthread_mutex_lock(&source->thread.lock);
	if (!uuid || source->n_hints == HINTS_MAX)
		source->hint_all = true;
	else if (strlen(uuid) < DOMAIN_UUID_LEN && !hint_waits(source, uuid))
		strcpy(source->hints[source->n_hints++], uuid);
	pthread_mutex_unlock(&source->thread.lock);
	source_thread_wake(&source->thread);
}

bool virt_source_describe(struct virt_source *source, char *text, size_t size)
{
	return source_status_describe(&source->thread.status, clock_now_ns(), text, size);
}
