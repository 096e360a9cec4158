/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The reader: a process of the daemon's program that deals with QEMU's memory, descriptors and
 * command lines, so that no thread of the daemon ever waits for a QEMU. One that hangs in the
 * kernel can't be killed, and holds up all that its process owns. So the reader has no ledger, no
 * lock, no socket of the guardian's, no real-time thread, and of the privileges only those for a
 * look.
 *
 * It is executed, not only forked: it has no copy of the daemon's memory.
 */

#include "util/base.h"

/** The program's name, argv[0], that makes it a reader. */
#define READER_NAME "pvschedd-reader"

/** Its descriptors. It has no others but standard input, output and error. */
enum {
	READER_FD_JOBS = 3, /* socket of the main thread: requests and replies */
	READER_FD_LINE,     /* socket of those that look for domains, see reader/line.h */
	READER_FD_BOARD,    /* memory */
	READER_FD_NEWS,     /* eventfd of the board */
	_READER_FD_END,
};

/**
 * Runs until the daemon is gone. Returns an exit status.
 * @pve_dir  where Proxmox's configurations are, see virt/vm_conf.h; NULL: VM_CONF_DIR
 */
int reader_main(const char *pve_dir);
