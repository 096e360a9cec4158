/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Closing descriptors that turned out not to be what they were taken for. A close can wait without
 * end: a FUSE file asks its server first, a socket may linger over data nobody reads, a device may
 * do what it wants. So a thread does it, and only that thread waits.
 */

/** Descriptors that may wait to be closed at a time; while there are as many, take no more over. */
#define RELEASE_MAX 4

/** Closes @fd in the background, or keeps it open for good where no thread can be had. Returns -1.
 */
int release_fd(int fd);

/** How many are not closed yet. */
unsigned int release_pending(void);
