/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Events on their way from the virt thread to the main thread. One waits for each domain at most,
 * and one for the source, so it is bounded by what exists however fast things change.
 */

#include "virt/libvirt.h"

struct event_queue;

/** Returns 0 and *ret, or -errno. */
int event_queue_new(struct event_queue **ret);

/** Frees it with all that waits; takes NULL; returns NULL. */
struct event_queue *event_queue_free(struct event_queue *queue);

/** Readable while events wait. */
int event_queue_fd(const struct event_queue *queue);

/**
 * Adds an event. It replaces a waiting one of the same domain (causes add up), and keeps its place;
 * source events replace each other and go first. Takes over event->domain.
 * Returns 0, or -ENOMEM with the domain freed.
 */
int event_queue_push(struct event_queue *queue, const struct virt_event *event);

/** Takes the first event. Outcomes: false when none waits. */
bool event_queue_pop(struct event_queue *queue, struct virt_event *ret);
