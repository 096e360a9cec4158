/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Finds the QEMU process of a domain by the files in libvirt's run directory, and makes sure that
 * it is the right one.
 */

#include "model/domain.h"
#include "util/base.h"
#include "virt/cmdline.h"
#include "virt/status_file.h"

/** Which process is looked for. */
struct qemu_query {
	const char *run_dir;     /* "/run" except in tests */
	const char *name, *uuid; /* of the domain */
	struct cmdline_cache *cmdlines;
};

/**
 * Finds the process of a domain. The status file and the pid file must agree, where both can be
 * read, and the process must have been started for the uuid.
 * @qemu    gets the process
 * @facts   gets what it was started with
 * @status  gets the status file, or NULL where it cannot be read
 * Returns 0; -ESRCH when no process of the domain can be found (it has just ended, or just
 * started); -ETIMEDOUT, -EBUSY, -EAGAIN: see cmdline_get(); -EINVAL when the name cannot be a file
 * name; -ENOMEM.
 */
int qemu_find(const struct qemu_query *query, struct thread_id *qemu, struct cmdline_facts *facts,
              struct status_file **status);
