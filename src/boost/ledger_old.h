/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Ledgers of earlier versions: what the pvschedd before an upgrade changed, and did not give back
 * since it was killed, must be given back by the one after it.
 */

#include "boost/ledger.h"

/**
 * Copies the records that are whole from the ledger of this boot and an earlier version in the file
 * @fd, open for reading and writing, to @to, and takes the old one over. Its file is left as it is.
 * Returns 0; -EBADMSG when it is no such ledger; -errno.
 */
int ledger_old_read(int fd, struct ledger *to);
