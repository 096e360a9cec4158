/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Tells whether a libvirt daemon for QEMU runs, without connecting to it: both daemons lock their
 * pid file as long as they live.
 */

#include <limits.h>
#include <sys/types.h>

#include "util/base.h"

/** A daemon that runs. */
struct libvirt_daemon {
	const char *name; /* "libvirtd" or "virtqemud" */
	pid_t pid;        /* 0 if unknown (another PID namespace) */
	char socket[108]; /* its read-only socket: sun_path of unix(7) */
};

enum {
	PRESENCE_NONE = 1, /* neither runs */
};

/**
 * Looks for a daemon. libvirtd is preferred, since it serves all that virtqemud would.
 * Returns 0; PRESENCE_NONE; -ENAMETOOLONG for @run_dir.
 */
int presence_check(const char *run_dir, struct libvirt_daemon *ret);

/**
 * Returns an inotify fd for changes of the pid files, or -errno (no such directory; no more
 * watches). Without the fd the caller must poll.
 */
int presence_watch(const char *run_dir);

/**
 * Drains the fd of presence_watch(). Returns true if a pid file was touched or events were lost.
 */
bool presence_touched(int fd);
