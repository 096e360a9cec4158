/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Finds the QEMU process of a domain by the files in libvirt's run directory, and makes sure that
 * it is the right one.
 */

#include "model/domain.h"
#include "util/base.h"
#include "virt/status_file.h"

/**
 * Finds the process of the domain @uuid. The status file and the pid file must agree, where both
 * can be read, and the process must have been started for that uuid.
 * @run_dir   "/run" except in tests
 * @qemu      gets the process
 * @topology  gets what it was started with
 * @status    gets the status file, or NULL where it cannot be read
 * Returns 0; -ESRCH when no process of the domain can be found (it has just ended, or just
 * started); -EINVAL when the name cannot be a file name; -ENOMEM.
 */
int qemu_find(const char *run_dir, const char *name, const char *uuid, struct thread_id *qemu,
              struct topology *topology, struct status_file **status);

/** True if an argument list (each argument ended by a NUL) holds "-uuid" followed by @uuid. */
bool qemu_cmdline_has_uuid(const char *cmdline, size_t size, const char *uuid);
