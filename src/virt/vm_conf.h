/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Proxmox's configuration of a VM, /etc/pve/qemu-server/VMID.conf: its name and its tags. The file
 * system is a server in user space (FUSE), on which a read may wait for ever. So a source asks the
 * reader for it, with a time limit.
 *
 *	#what people write about it
 *	name: pbx
 *	tags: pvsched-latency;web
 *
 *	[before-upgrade]
 *	name: what it was when this snapshot was made
 */

#include "model/labels.h"
#include "util/base.h"

#define VM_CONF_DIR "/etc/pve"

/** What is looked at of a file. The present VM stands before all snapshots. */
#define VM_CONF_MAX (64 * 1024)

/** Parses a file's first @size bytes: fills title and tags. vmid and flavor stay empty. */
void vm_conf_parse(const char *text, size_t size, struct domain_labels *ret);

/**
 * Reads DIR/qemu-server/VMID.conf, for as long as that file system likes.
 * Returns 0 and *ret, with the vmid; -ENOENT; -EINVAL: it is no regular file; -ENOMEM; -errno.
 */
int vm_conf_read(const char *dir, uint32_t vmid, struct domain_labels *ret);

/** How a source gets it. */
struct vm_conf_reader {
	/**
	 * Returns like vm_conf_read(), but within a time limit; -ETIMEDOUT: it was reached; -EBUSY:
	 * an earlier read still hangs; -EAGAIN: nothing could be asked now.
	 */
	int (*read)(void *userdata, uint32_t vmid, struct domain_labels *ret);
	void *userdata;
};
