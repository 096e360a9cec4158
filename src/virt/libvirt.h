/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The libvirt source of domains. A thread with a read-only connection to libvirt follows the
 * domains, and scans the threads of each QEMU that libvirt names. A libvirtd that hangs stops news
 * of domains and nothing else. While libvirtd is away, threads of known domains are still scanned,
 * unless a call to it hangs.
 *
 * It connects only while libvirtd or virtqemud runs: on most systems a connection would start a
 * daemon that the administrator has stopped.
 *
 * Threads: only the thread that made the source may call these functions. None of them blocks,
 * except virt_source_free(), for VIRT_STOP_NS at most. An event carries a whole domain, which does
 * not change any more.
 */

#include "util/base.h"
#include "virt/cmdline.h"
#include "virt/event.h"

struct virt_source;

struct virt_options {
	const char *uri;     /* NULL: made from the daemon that runs */
	const char *run_dir; /* NULL: "/run"; holds the daemons' pid files and libvirt/qemu/ */
	uint64_t rescan_ns;  /* how often the threads of all domains are looked at; 0: 500 ms */
	struct cmdline_reader cmdlines; /* none: they are read directly */
	int keepalive_s; /* of the connection, which ends after 3 lost answers; 0: 5 s */
};

#define VIRT_OPTIONS_NULL ((struct virt_options){0})

/**
 * Starts the thread. A missing libvirt is no error: virt_source_describe() tells.
 * Returns 0 and *ret; -ELIBACC: its library is not installed; -errno.
 */
int virt_source_new(struct virt_source **ret, const struct virt_options *options);

/**
 * Ends the thread. If it hangs in a call to libvirt, it is left behind after VIRT_STOP_NS, with its
 * memory. Takes NULL; returns NULL.
 */
struct virt_source *virt_source_free(struct virt_source *source);

/** An fd that is readable while events wait (EPOLLIN, level-triggered). Do not read or close it. */
int virt_source_fd(const struct virt_source *source);

/**
 * Takes the next event. Only the latest state of each domain is kept. A domain that ended and
 * started again is seen with another `qemu`; a domain that came and went is only gone.
 * Returns false when none waits.
 */
bool virt_source_next(struct virt_source *source, struct virt_event *ret);

/** A hint that threads changed, for one domain or, with NULL, for all (hints were lost). */
void virt_source_rescan(struct virt_source *source, const char *uuid);

/**
 * Describes the source's state to people. Returns true if it is connected and answers. If false,
 * the text says what is wrong.
 */
bool virt_source_describe(struct virt_source *source, char *text, size_t size);
