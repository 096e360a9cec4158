/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/flag.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "util/cleanup.h"

#define FLAG_NAME "disabled"

/** Opens the directory. The last component must not be a symbolic link. */
static int open_directory(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	return fd < 0 ? -errno : fd;
}

int flag_set(const char *state_dir)
{
	CLEANUP(cleanup_fd) int directory = -1;
	CLEANUP(cleanup_fd) int fd = -1;

	if (mkdir(state_dir, 0755) < 0 && errno != EEXIST)
		return -errno;
	directory = open_directory(state_dir);
	if (directory < 0)
		return directory;
	fd = openat(directory, FLAG_NAME, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return errno == EEXIST ? FLAG_UNCHANGED : -errno;
	return fsync(fd) < 0 || fsync(directory) < 0 ? -errno : 0;
}

int flag_clear(const char *state_dir)
{
	CLEANUP(cleanup_fd) int directory = open_directory(state_dir);

	if (directory < 0)
		return directory == -ENOENT ? FLAG_UNCHANGED : directory;
	if (unlinkat(directory, FLAG_NAME, 0) < 0)
		return errno == ENOENT ? FLAG_UNCHANGED : -errno;
	return fsync(directory) < 0 ? -errno : 0;
}
