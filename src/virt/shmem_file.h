/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The file of libvirt's <shmem>: QEMU makes it when the device comes, and nobody removes it.
 */

#include <sys/types.h>

#include "util/base.h"

/** Where they are. */
#define SHMEM_FILE_DIR "/dev/shm"

/** Outcomes of shmem_file_remove(). */
enum {
	SHMEM_FILE_ABSENT = 1,
	SHMEM_FILE_IN_USE,  /* a process has it open or mapped */
	SHMEM_FILE_STRANGE, /* it is no regular file */
};

/**
 * Removes the file @name of @directory if no process has it. Only root can know that.
 * @user  with SHMEM_FILE_IN_USE: the pid of one that has it
 * Returns 0; one of the above; -EPERM for others than root; -errno.
 */
int shmem_file_remove(const char *directory, const char *name, pid_t *user);
