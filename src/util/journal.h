/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Writes records to the journal, by its own protocol. sd_journal_sendv() waits for as long as a
 * journald that hangs, and with it the main thread, which feeds the watchdog.
 */

#include <sys/uio.h>

#include "util/base.h"

/** How long one record is waited for, should the journal be busy; and all in a window of lines. */
#define JOURNAL_WAIT_MS     50U
#define JOURNAL_WAIT_ALL_MS 200U

#define JOURNAL_FIELDS_MAX 64

/** How long the journal may be waited for; shared by the records of a while. Zeroed: spent. */
struct journal_patience {
	unsigned int left_ms;
};

/**
 * Sends one record: @n fields, at most JOURNAL_FIELDS_MAX, each "NAME=value" without a newline.
 * Returns 0; -EAGAIN: the journal does not read, and the record is lost; -errno: there is none.
 */
int journal_send(const struct iovec *fields, size_t n, struct journal_patience *patience);

/** For tests: another socket than the journal's. Before the first record. */
void journal_set_socket(const char *path);
