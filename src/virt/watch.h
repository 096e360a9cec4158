/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The work of the virt thread: it keeps a connection to libvirt while a daemon runs, asks about
 * domains that changed, and scans their threads. For the virt thread only.
 */

#include "util/base.h"
#include "virt/cmdline.h"
#include "virt/connection.h"
#include "virt/event_queue.h"
#include "virt/known.h"
#include "virt/source_status.h"

struct watch {
	/* given */
	const char *uri; /* or NULL */
	const char *run_dir;
	int keepalive_s;
	uint64_t rescan_ns;
	struct event_queue *queue;
	struct source_status *status;
	int wake_fd;                   /* ends a wait of the loop */
	struct cmdline_cache cmdlines; /* its reader is given */

	/* its own */
	struct connection_ops ops;
	int wake_handle;
	struct connection *connection; /* NULL while there is none */
	bool lost;                     /* close the connection, for `lost_reason` */
	char lost_reason[128];
	const char *daemon;  /* of the present or last connection, for messages */
	pid_t daemon_pid;    /* 0: not known */
	uint64_t lost_ns;    /* when it was lost; 0: never connected */
	pid_t lost_pid;      /* the daemon's PID */
	uint64_t try_ns;     /* when to connect next */
	uint64_t backoff_ns; /* after the next failure */
	uint64_t failing_ns; /* since when; 0: the next failure is the first */
	int presence_fd;     /* -1: the pid files are polled */
	int presence_handle;
	bool full_warned; /* the log says that there are too many domains */
	bool full_said;   /* so does the status */
	size_t unfound;   /* domains without a QEMU process, in the status */
	struct known_table known;
	struct vhost_table vhosts;
};

/** Fills in its own part. Returns 0, or -errno. */
int watch_init(struct watch *watch);

/** Does what is due at @now_ns. Returns the time of the next call. */
uint64_t watch_pass(struct watch *watch, uint64_t now_ns);

/** A hint about the threads of a domain, or of all with NULL. */
void watch_hint(struct watch *watch, const char *uuid, uint64_t now_ns);

/** Closes the connection and frees what it owns. */
void watch_finish(struct watch *watch);
