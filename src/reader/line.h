/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The line by which threads that look for domains ask the reader for command lines, and for
 * Proxmox's configurations of VMs. One at a time:
 * a QEMU that hangs costs them BOARD_STUCK_NS, once. Where BOARD_STUCK_MAX hang already, it costs
 * them READER_LINE_SHORT_NS: new ones may come at any rate, and honest ones answer sooner.
 */

#include "reader/board.h"
#include "virt/cmdline.h"
#include "virt/vm_conf.h"

struct reader_line;

#define READER_LINE_SHORT_NS (100 * NSEC_PER_MSEC)

/** How long a configuration is waited for; while that read hangs, the next ones fail at once. */
#define READER_LINE_CONF_NS (500 * NSEC_PER_MSEC)

/** Not connected yet. It stays for the rest of the process: a source may outlive its owner. */
int reader_line_new(struct reader_line **ret, const struct board *board);

/** Another reader has the other end of @socket, which is taken over; -1: none has. Never waits. */
void reader_line_connect(struct reader_line *line, int socket);

/** As cmdline_reader::read(); @line is the struct reader_line. */
int reader_line_ask(void *line, const struct thread_id *qemu, struct cmdline_facts *ret);

/** As vm_conf_reader::read(); @line is the struct reader_line. */
int reader_line_ask_conf(void *line, uint32_t vmid, struct domain_labels *ret);
