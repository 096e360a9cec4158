/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Ledgers of earlier versions. A pvschedd that was killed before an upgrade gave nothing back: the
 * one after the upgrade does.
 */

#include "boost/ledger_file.h"

/**
 * Copies the records that are whole from a ledger of an earlier version and of this boot to @to,
 * and takes the old ledger over. @fd: its file, open for reading and writing, which is left as it
 * is. Returns 0; -EBADMSG when it is no such ledger; -errno.
 */
int ledger_old_read(int fd, struct ledger_file *to);
