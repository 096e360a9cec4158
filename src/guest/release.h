/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Closes descriptors that turned out to be another file than expected. A close can wait without
 * end: a FUSE file asks its server first, a socket may linger over unread data, a device may do
 * anything. So a thread closes it, and only that thread waits.
 */

/** Descriptors that may wait to be closed at a time. At this many, take over no more. */
#define RELEASE_MAX 4

/** Closes @fd in the background, or leaves it open for good if no thread can start. Returns -1. */
int release_fd(int fd);

/** Number of descriptors that are not closed yet. */
unsigned int release_pending(void);
