/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The kernel's news of devices: a CPU that comes or goes, and a vsock device that is plugged in. A
 * hint alone; what is true is read in /sys then.
 */

#include "util/base.h"

enum uevent_kind {
	UEVENT_OTHER,
	UEVENT_CPU,    /* a CPU came, went, or changed */
	UEVENT_VIRTIO, /* a virtio device came or got its driver: perhaps vsock */
};

/** What one message is about: "ACTION@PATH", and then "KEY=VALUE" strings, each ended by a NUL. */
enum uevent_kind uevent_parse(const char *text, size_t size);

/** Opens a socket for them. Returns a descriptor, or -errno. */
int uevents_open(void);

/** Takes one message. Returns 1 and *ret; 0: there is none; -ENOBUFS: some were lost; -errno. */
int uevents_next(int fd, enum uevent_kind *ret);
