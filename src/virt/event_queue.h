/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Events on their way from a source's thread to the main thread. At most one waits for each domain,
 * and one for the source. So the number of domains bounds the queue, however fast they change.
 */

#include "virt/event.h"

struct event_queue;

/** Returns 0 and *ret, or -errno. */
int event_queue_new(struct event_queue **ret);

/** Frees the queue and all waiting events; takes NULL; returns NULL. */
struct event_queue *event_queue_free(struct event_queue *queue);

/** Readable while events wait. */
int event_queue_fd(const struct event_queue *queue);

/**
 * Adds an event, and takes over event->domain. It replaces a waiting event of the same domain in
 * its place, and causes add up. Source events replace each other and go to the front.
 * Returns 0, or -ENOMEM with the domain freed.
 */
int event_queue_push(struct event_queue *queue, const struct virt_event *event);

/** Takes the first event. Returns false when none waits. */
bool event_queue_pop(struct event_queue *queue, struct virt_event *ret);
