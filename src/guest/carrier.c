/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "guest/carrier.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "guest/file.h"
#include "util/cleanup.h"

/*
 * The descriptor shares its file offset and its flags with QEMU's. So it may be used only for
 * pread(), pwrite(), fstat() and reads of flags and seals. A read(), write() or lseek()
 * would move QEMU's offset, and QEMU moves ours.
 */
struct carrier {
	enum carrier_kind kind;
	int fd;
	dev_t device;
	ino_t inode;
	uint64_t size;
	uint64_t address;
	bool sealed;
};

/** Checks the kind of file; asks the filesystem only after the type is known. */
static int check_file(int fd)
{
	struct statfs file_system;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return CARRIER_NOT_REGULAR;
	if (fstatfs(fd, &file_system) < 0)
		return -errno;
	if (file_system.f_type == HUGETLBFS_MAGIC)
		return CARRIER_HUGE;
	return file_system.f_type == TMPFS_MAGIC ? 0 : CARRIER_NOT_TMPFS;
}

/** Checks that it may be written. *sealed: it can no longer shrink. */
static int check_access(int fd, bool *sealed)
{
	int flags = fcntl(fd, F_GETFL), seals;

	if (flags < 0)
		return -errno;
	if ((flags & O_PATH) || (flags & O_ACCMODE) != O_RDWR)
		return CARRIER_READ_ONLY;
	seals = fcntl(fd, F_GET_SEALS);
	if (seals < 0)
		return -errno;
	*sealed = seals & F_SEAL_SHRINK;
	return seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE) ? CARRIER_READ_ONLY : 0;
}

static int check_size(enum carrier_kind kind, uint64_t size, uint64_t expected, size_t n_pages)
{
	if (size < PVSCHED_REGION_SIZE_MIN || size > PVSCHED_REGION_SIZE_MAX ||
	    (expected && size != expected))
		return CARRIER_WRONG_SIZE;
	/* ivshmem's memory is a PCI BAR, so its size is a power of two. */
	if (kind == CARRIER_SHMEM && (size & (size - 1)))
		return CARRIER_WRONG_SIZE;
	return n_pages <= size / PVSCHED_PAGE_SIZE - 1 ? 0 : CARRIER_WRONG_SIZE;
}

int carrier_open(int fd, enum carrier_kind kind, uint64_t expected, uint64_t address,
                 size_t n_pages, struct carrier **ret)
{
	CLEANUP(carrier_cleanup) struct carrier *carrier = calloc(1, sizeof(*carrier));
	struct stat st;
	int r;

	if (!carrier) {
		close_fd(fd);
		return -ENOMEM;
	}
	carrier->kind = kind;
	carrier->fd = fd;
	carrier->address = address;
	r = check_file(fd);
	if (r != 0)
		return r;
	r = check_access(fd, &carrier->sealed);
	if (r != 0)
		return r;
	/* After the seals: an earlier size could be one from before a truncation. */
	if (fstat(fd, &st) < 0)
		return -errno;
	carrier->device = st.st_dev;
	carrier->inode = st.st_ino;
	carrier->size = (uint64_t)st.st_size;
	r = check_size(kind, carrier->size, expected, n_pages);
	if (r != 0)
		return r;
	*ret = STEAL(carrier, NULL);
	return 0;
}

struct carrier *carrier_free(struct carrier *carrier)
{
	if (!carrier)
		return NULL;
	close_fd(carrier->fd);
	free(carrier);
	return NULL;
}

void carrier_cleanup(struct carrier **carrier)
{
	*carrier = carrier_free(*carrier);
}

int carrier_read(const struct carrier *carrier, void *buffer, size_t size, uint64_t offset)
{
	ssize_t n = pread(carrier->fd, buffer, size, (off_t)offset);

	if (n < 0)
		return -errno;
	return (size_t)n == size ? 0 : -ENODATA;
}

int carrier_write(const struct carrier *carrier, const void *buffer, size_t size, uint64_t offset)
{
	if (offset > carrier->size || size > carrier->size - offset)
		return -EINVAL;
	return guest_file_write(carrier->fd, buffer, size, offset);
}

enum carrier_kind carrier_kind(const struct carrier *carrier)
{
	return carrier->kind;
}

dev_t carrier_device(const struct carrier *carrier)
{
	return carrier->device;
}

ino_t carrier_inode(const struct carrier *carrier)
{
	return carrier->inode;
}

uint64_t carrier_size(const struct carrier *carrier)
{
	return carrier->size;
}

bool carrier_sealed(const struct carrier *carrier)
{
	return carrier->sealed;
}

uint64_t carrier_address(const struct carrier *carrier)
{
	return carrier->address;
}

int carrier_fd(const struct carrier *carrier)
{
	return carrier->fd;
}
