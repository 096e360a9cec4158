/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The work of the procfs source's thread: it looks for QEMU processes, and scans the threads of
 * those that it found. For that thread only.
 */

#include "util/base.h"
#include "virt/cmdline.h"
#include "virt/event_queue.h"
#include "virt/known.h"
#include "virt/process.h"
#include "virt/process_list.h"
#include "virt/source_status.h"
#include "virt/vm_labels.h"

struct process_watch {
	/* given */
	const char *run_dir;
	uint64_t rescan_ns;  /* how often threads of known processes are looked at */
	uint64_t list_ns;    /* how often new processes are looked for */
	bool leave_libvirts; /* leave libvirt's processes to its source */
	struct process_criteria criteria;
	struct event_queue *queue;
	struct source_status *status;
	struct cmdline_cache cmdlines; /* its reader is given */
	struct vm_labels labels;       /* its reader is given */

	/* its own */
	struct known_table known;
	struct vhost_table vhosts;
	struct process_list list;
	uint64_t list_next_ns;
	uint64_t full_next_ns; /* when all are examined again */
	pid_t last_pid;        /* of the kernel, when they were last listed */
	bool too_many;         /* processes, or domains */
	size_t hidden;         /* threads: see hidden_threads() */
	size_t hidden_before;  /* of that */
};

/** All processes are examined again this often: an old one may have executed QEMU. */
#define PROCESS_WATCH_FULL_NS (60 * NSEC_PER_SEC)

/** Does what is due at @now_ns. Returns the time of the next call. */
uint64_t process_watch_pass(struct process_watch *watch, uint64_t now_ns);

/** A hint that a process is a QEMU, or has new threads. */
void process_watch_hint(struct process_watch *watch, pid_t pid, uint64_t now_ns);

/** Hints were lost, or everything must be reported again. */
void process_watch_hint_all(struct process_watch *watch, uint64_t now_ns);

/** Hints were lost: looks for processes that are new at @now_ns, not at those that are known. */
void process_watch_list(struct process_watch *watch, uint64_t now_ns);

/** Frees what it owns. */
void process_watch_finish(struct process_watch *watch);
