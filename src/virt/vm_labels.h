/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Keeps the labels of Proxmox's VMs up to date: name and tags, which may change while a VM runs.
 * For the thread of the procfs source only. What cannot be read stays as it was.
 */

#include "virt/known.h"
#include "virt/vm_conf.h"

/** Zeroed, but for @reader: nothing was read yet. */
struct vm_labels {
	struct vm_conf_reader reader; /* no function: nothing is ever read */
	uint64_t rests_ns;            /* a read hung: no other is tried before this time */
	bool hangs;                   /* the last read did */
};

/** Files are read at most this often for looks at threads; at once when all is asked for anew. */
#define VM_LABELS_AGE_NS (10 * NSEC_PER_SEC)

/** After a read that hung. It costs its source READER_LINE_CONF_NS; until it ends, others fail at
 * once. */
#define VM_LABELS_REST_NS (10 * NSEC_PER_SEC)

/**
 * Reads a domain's labels again, if it is one of Proxmox's and that is due. When they have changed,
 * the domain will be reported by the look that follows.
 */
void vm_labels_refresh(struct vm_labels *labels, struct known_domain *domain, uint64_t now_ns);
