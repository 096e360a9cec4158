/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* For ledger.c and ledger_restore.c alone. */

#include "boost/ledger_file.h"

struct ledger {
	struct ledger_file *file;
	char path[LEDGER_PATH_MAX];
	char mount[LEDGER_MOUNT_MAX]; /* see ledger_set_mount(); "": not known */
};
