/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "virt/event_queue.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "util/cleanup.h"

struct queued {
	struct queued *next; /* event_queue::first */
	struct virt_event event;
};

struct event_queue {
	pthread_mutex_t lock; /* guards all below */
	int fd;               /* eventfd: not 0 while events wait */
	struct queued *first;
	struct queued **end; /* where the next event is appended */
};

int event_queue_new(struct event_queue **ret)
{
	struct event_queue *queue = calloc(1, sizeof(*queue));

	if (!queue)
		return -ENOMEM;
	queue->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (queue->fd < 0) {
		int r = -errno;

		free(queue);
		return r;
	}
	pthread_mutex_init(&queue->lock, NULL);
	queue->end = &queue->first;
	*ret = queue;
	return 0;
}

struct event_queue *event_queue_free(struct event_queue *queue)
{
	struct virt_event event;

	if (!queue)
		return NULL;
	while (event_queue_pop(queue, &event))
		domain_free(event.domain);
	close_fd(queue->fd);
	pthread_mutex_destroy(&queue->lock);
	free(queue);
	return NULL;
}

int event_queue_fd(const struct event_queue *queue)
{
	return queue->fd;
}

static bool is_source_event(const struct virt_event *event)
{
	return event->type == VIRT_SOURCE_UP || event->type == VIRT_SOURCE_DOWN;
}

static struct queued *find(struct event_queue *queue, const struct virt_event *event)
{
	struct queued *at;

	for (at = queue->first; at; at = at->next)
		if (is_source_event(&at->event) == is_source_event(event) &&
		    strcmp(at->event.uuid, event->uuid) == 0)
			return at;
	return NULL;
}

static void replace(struct virt_event *old, const struct virt_event *event)
{
	unsigned int causes = old->causes;

	domain_free(old->domain);
	*old = *event;
	if (event->type == VIRT_DOMAIN_SEEN)
		old->causes |= causes;
}

static int push_locked(struct event_queue *queue, const struct virt_event *event)
{
	struct queued *queued = find(queue, event);

	if (queued) {
		replace(&queued->event, event);
		return 0;
	}
	queued = malloc(sizeof(*queued));
	if (!queued)
		return -ENOMEM;
	queued->event = *event;
	if (is_source_event(event)) {
		queued->next = queue->first;
		queue->first = queued;
		if (!queued->next)
			queue->end = &queued->next;
	} else {
		queued->next = NULL;
		*queue->end = queued;
		queue->end = &queued->next;
	}
	eventfd_write(queue->fd, 1);
	return 0;
}

int event_queue_push(struct event_queue *queue, const struct virt_event *event)
{
	int r;

	pthread_mutex_lock(&queue->lock);
	r = push_locked(queue, event);
	pthread_mutex_unlock(&queue->lock);
	if (r < 0)
		domain_free(event->domain);
	return r;
}

static struct queued *pop_locked(struct event_queue *queue)
{
	struct queued *queued = queue->first;
	eventfd_t count;

	if (queued)
		queue->first = queued->next;
	if (!queue->first) {
		queue->end = &queue->first;
		eventfd_read(queue->fd, &count);
	}
	return queued;
}

bool event_queue_pop(struct event_queue *queue, struct virt_event *ret)
{
	CLEANUP(cleanup_free) struct queued *queued = NULL;

	pthread_mutex_lock(&queue->lock);
	queued = pop_locked(queue);
	pthread_mutex_unlock(&queue->lock);
	if (!queued)
		return false;
	*ret = queued->event;
	return true;
}
