/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Finding the QEMU process of a domain from the files libvirt keeps below its run directory, and
 * making sure that it is the right one.
 */

#include "model/domain.h"
#include "util/base.h"
#include "virt/status_file.h"

/**
 * Finds the process of the domain @uuid: the status file and the pid file, where both can be read,
 * must agree, and the process must have been started for that uuid.
 * @run_dir   "/run" but in tests
 * @qemu      gets the process, and @topology what it was started with
 * @status    gets the status file, or NULL where it cannot be read
 * Returns 0; -ESRCH when no process of the domain can be found (it has just ended, or just
 * started); -EINVAL when the name cannot be a file name; -ENOMEM.
 */
int qemu_find(const char *run_dir, const char *name, const char *uuid, struct thread_id *qemu,
              struct topology *topology, struct status_file **status);

/** True if an argument list (each argument ended by a NUL) holds "-uuid" followed by @uuid. */
bool qemu_cmdline_has_uuid(const char *cmdline, size_t size, const char *uuid);
