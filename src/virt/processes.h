/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The procfs source of domains, for hosts without libvirt: it finds QEMU processes in /proc. It has
 * a thread of its own, since a hostile QEMU can block a reader of its command line for ever. It
 * delivers the events of virt/event.h, except VIRT_SOURCE_UP and _DOWN. It never uses QEMU's own
 * sockets, so it does not know whether a guest is paused.
 *
 * A QEMU shows itself when it names its vCPU threads (virt/procconn.h), and the receiver of that
 * event gives a hint. Without hints, /proc is listed at an interval, if a thread was started on the
 * host since. Only new processes are examined.
 *
 * Threads: only the thread that made the source may call these functions. None of them blocks,
 * except process_source_free(), for VIRT_STOP_NS at most.
 */

#include "util/base.h"
#include "virt/cmdline.h"
#include "virt/event.h"
#include "virt/process.h"
#include "virt/vm_conf.h"

struct process_source;

struct process_options {
	const char *run_dir; /* NULL: "/run"; holds libvirt's files of its QEMUs */
	bool hints;          /* process_source_hint() will be called for new threads */
	bool leave_libvirts; /* leave libvirt's QEMUs to its source, unreported */
	struct process_criteria criteria;
	struct cmdline_reader cmdlines; /* none: they are read directly */
	struct vm_conf_reader confs;    /* none: no configuration of Proxmox's is read */
};

/** Starts the thread. Returns 0 and *ret, or -errno. */
int process_source_new(struct process_source **ret, const struct process_options *options);

/** Ends the thread. If it hangs, it is left behind with its memory. Takes NULL; returns NULL. */
struct process_source *process_source_free(struct process_source *source);

/** Readable while events wait; see virt_source_fd(). */
int process_source_fd(const struct process_source *source);

/** Takes the next event; see virt_source_next(). Returns false when none waits. */
bool process_source_next(struct process_source *source, struct virt_event *ret);

/**
 * A hint that process @pid is a QEMU, has new threads or is gone. With 0: hints were lost, or all
 * domains must be reported again.
 */
void process_source_hint(struct process_source *source, pid_t pid);

/** Describes the source's state to people. Returns false if it cannot see all processes. */
bool process_source_describe(struct process_source *source, char *text, size_t size);
