// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef RWF_NOAPPEND
#define RWF_NOAPPEND 0x20 /* Linux 6.9 */
#endif

int guest_file_write(int fd, const void *buffer, size_t size, uint64_t offset)
{
	struct iovec piece = {(void *)buffer, size};
	ssize_t n = pwritev2(fd, &piece, 1, (off_t)offset, RWF_NOAPPEND);
	int flags;

	if (n < 0 && errno == EOPNOTSUPP) {
		flags = fcntl(fd, F_GETFL);
		if (flags < 0)
			return -errno;
		if (flags & O_APPEND)
			return -EPERM;
		n = pwrite(fd, buffer, size, (off_t)offset);
	}
	if (n < 0)
		return -errno;
	return (size_t)n == size ? 0 : -ENOSPC;
}
