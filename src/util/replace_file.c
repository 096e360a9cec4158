// SPDX-License-Identifier: GPL-2.0-or-later
#include "util/replace_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/cleanup.h"

/* Opens the directory of @path. *name: its last part. Returns a descriptor or -errno. */
static int open_directory(const char *path, const char **name)
{
	const char *slash = strrchr(path, '/');
	char directory[PATH_MAX];
	int fd;

	if (!slash || snprintf(directory, sizeof(directory), "%.*s", (int)(slash - path), path) >=
	                      (int)sizeof(directory))
		return -EINVAL;
	*name = slash + 1;
	fd = open(slash == path ? "/" : directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int write_all(int fd, const char *text, size_t size)
{
	while (size > 0) {
		ssize_t n = write(fd, text, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		text += n;
		size -= (size_t)n;
	}
	return 0;
}

static int write_draft(int directory, const char *draft, const char *text, size_t size)
{
	CLEANUP(cleanup_fd) int fd = -1;

	/* of a run that was killed */
	if (unlinkat(directory, draft, 0) < 0 && errno != ENOENT)
		return -errno;
	fd = openat(directory, draft, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	/* whatever the umask is */
	if (fchmod(fd, 0644) < 0)
		return -errno;
	return write_all(fd, text, size);
}

int replace_file(const char *path, const char *text, size_t size)
{
	CLEANUP(cleanup_fd) int directory = -1;
	char draft[NAME_MAX + 1];
	const char *name;
	int r;

	directory = open_directory(path, &name);
	if (directory < 0)
		return directory;
	if (snprintf(draft, sizeof(draft), ".%s.new", name) >= (int)sizeof(draft))
		return -ENAMETOOLONG;
	r = write_draft(directory, draft, text, size);
	if (r == 0 && renameat(directory, draft, directory, name) < 0)
		r = -errno;
	if (r < 0)
		unlinkat(directory, draft, 0);
	return r;
}

int replace_file_remove(const char *path)
{
	CLEANUP(cleanup_fd) int directory = -1;
	const char *name;

	directory = open_directory(path, &name);
	if (directory < 0)
		return directory == -ENOENT ? 0 : directory;
	return unlinkat(directory, name, 0) < 0 && errno != ENOENT ? -errno : 0;
}
