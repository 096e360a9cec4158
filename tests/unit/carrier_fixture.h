/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Objects that could be carriers. */

#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "fake_qemu.h"
#include "guest/carrier.h"

#define MIB       (1024 * 1024)
#define QEMU_NAME "memory-backend-memfd"

/** A memfd as QEMU makes it; @seals 0: left unsealed. Inherited by children. */
static inline int memfd_make(off_t size, unsigned int flags, int seals)
{
	int fd = memfd_create(QEMU_NAME, MFD_ALLOW_SEALING | flags);

	if (fd < 0)
		return -1;
	CHECK_INT(ftruncate(fd, size), 0);
	if (seals)
		CHECK_INT(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

/** As QEMU's seal=on. */
static inline int memfd_sealed(off_t size)
{
	return memfd_make(size, 0, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
}

/** A file in /dev/shm as libvirt's <shmem> makes it; @path gets its name. */
static inline int shmem_make(off_t size, const char *suffix, char path[static 64])
{
	int fd;

	snprintf(path, 64, "/dev/shm/pvsched-test-%d%s", getpid(), suffix);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0644);
	CHECK(fd >= 0);
	CHECK_INT(ftruncate(fd, size), 0);
	return fd;
}

static inline ino_t inode_of(int fd)
{
	struct stat st;

	CHECK_INT(fstat(fd, &st), 0);
	return st.st_ino;
}

/** False where tests of /dev/shm cannot be made. */
static inline bool shm_is_tmpfs(void)
{
	struct statfs fs;

	return statfs("/dev/shm", &fs) == 0 && fs.f_type == TMPFS_MAGIC &&
	       access("/dev/shm", W_OK) == 0;
}
