/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The file of libvirt's <shmem>: QEMU makes it with the device, and neither QEMU nor libvirt
 * removes it.
 */

#include <sys/types.h>

#include "util/base.h"

/** The directory of these files. */
#define SHMEM_FILE_DIR "/dev/shm"

/** Outcomes of shmem_file_remove(). */
enum {
	SHMEM_FILE_ABSENT = 1,
	SHMEM_FILE_IN_USE,  /* a process has it open or mapped */
	SHMEM_FILE_STRANGE, /* it is not a regular file */
};

/**
 * Removes the file @name of @directory if no process has it. Only root can find that out.
 * @user  with SHMEM_FILE_IN_USE: the PID of a process that has it
 * Returns 0; an outcome above; -EPERM for users other than root; -errno.
 */
int shmem_file_remove(const char *directory, const char *name, pid_t *user);
