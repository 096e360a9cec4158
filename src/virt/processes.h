/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The source of domains where libvirt is not: processes that are QEMU, found by /proc, on a thread
 * of its own, since a hostile one can make whoever reads its command line wait for ever. It
 * delivers the events of virt/libvirt.h, but VIRT_SOURCE_UP and _DOWN. QEMU's own sockets are never
 * used: whether a guest is paused is not known.
 *
 * A QEMU shows itself when it names its vCPU threads (virt/procconn.h): whoever receives that gives
 * a hint. Without hints /proc is listed at an interval, if a thread was started on the host since;
 * only new processes are looked at.
 *
 * Threads: every function here is for the thread that made the source, and none of them blocks but
 * process_source_free(), for VIRT_STOP_NS at most.
 */

#include "util/base.h"
#include "virt/libvirt.h"
#include "virt/process.h"

struct process_source;

struct process_options {
	const char *run_dir; /* NULL: "/run"; where libvirt's files of its QEMUs are */
	bool hints;          /* process_source_hint() will be called for new threads */
	bool leave_libvirts; /* what libvirt runs is left to it, and not reported */
	struct process_criteria criteria;
};

/** Starts the thread. Returns 0 and *ret, or -errno. */
int process_source_new(struct process_source **ret, const struct process_options *options);

/** Ends it; one that hangs is left behind, with the memory it uses. Takes NULL; returns NULL. */
struct process_source *process_source_free(struct process_source *source);

/** Readable while events wait; see virt_source_fd(). */
int process_source_fd(const struct process_source *source);

/** Takes the next event; see virt_source_next(). Outcomes: false when none waits. */
bool process_source_next(struct process_source *source, struct virt_event *ret);

/**
 * A hint that process @pid is a QEMU, has new threads or is gone. With 0: hints were lost, or all
 * domains are to be reported again.
 */
void process_source_hint(struct process_source *source, pid_t pid);

/** How it stands, for people. False when something keeps it from seeing all. */
bool process_source_describe(struct process_source *source, char *text, size_t size);
