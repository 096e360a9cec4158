/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "virt/shmem_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "util/cleanup.h"

/**
 * True if a path that the kernel shows for another process is that of the file. Names are compared,
 * not inodes: a look at a stranger's file may hang on a dead server. The directory is not compared,
 * since it may have another name there. The file's name holds a uuid.
 */
static bool names_file(const char *path, const char *name)
{
	size_t path_length = strlen(path), length = strlen(name);

	return path_length > length && path[path_length - length - 1] == '/' &&
	       strcmp(path + path_length - length, name) == 0;
}

static bool has_open(int process, const char *name)
{
	CLEANUP(cleanup_dir) DIR *directory = NULL;
	CLEANUP(cleanup_fd) int fd = openat(process, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const struct dirent *entry;

	directory = fd < 0 ? NULL : fdopendir(fd);
	if (!directory)
		return false;
	fd = -1; /* the stream owns it */
	while ((entry = readdir(directory))) {
		char target[PATH_MAX];
		ssize_t n = readlinkat(dirfd(directory), entry->d_name, target, sizeof(target) - 1);

		if (n < 0)
			continue;
		target[n] = '\0';
		if (names_file(target, name))
			return true;
	}
	return false;
}

static bool has_mapped(int process, const char *name)
{
	CLEANUP(cleanup_file) FILE *maps = NULL;
	CLEANUP(cleanup_free) char *line = NULL;
	CLEANUP(cleanup_fd) int fd = openat(process, "maps", O_RDONLY | O_CLOEXEC);
	size_t size = 0;

	maps = fd < 0 ? NULL : fdopen(fd, "r");
	if (!maps)
		return false;
	fd = -1; /* the stream owns it */
	while (getline(&line, &size, maps) > 0) {
		line[strcspn(line, "\n")] = '\0';
		if (names_file(line, name))
			return true;
	}
	return false;
}

/** Returns the pid of a process that has the file; 0 if none has; -errno. */
static pid_t find_user(const char *name)
{
	CLEANUP(cleanup_dir) DIR *proc = opendir("/proc");
	const struct dirent *entry;

	if (!proc)
		return -errno;
	while ((entry = readdir(proc))) {
		CLEANUP(cleanup_fd) int process = -1;

		if (entry->d_name[0] < '1' || entry->d_name[0] > '9')
			continue;
		process = openat(dirfd(proc), entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (process >= 0 && (has_open(process, name) || has_mapped(process, name)))
			return (pid_t)atoi(entry->d_name);
	}
	return 0;
}

int shmem_file_remove(const char *directory, const char *name, pid_t *user)
{
	CLEANUP(cleanup_fd) int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;
	pid_t pid;

	if (fd < 0)
		return errno == ENOENT ? SHMEM_FILE_ABSENT : -errno;
	if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? SHMEM_FILE_ABSENT : -errno;
	if (!S_ISREG(st.st_mode))
		return SHMEM_FILE_STRANGE;
	if (geteuid() != 0)
		return -EPERM;
	pid = find_user(name);
	if (pid < 0)
		return pid;
	if (pid > 0) {
		*user = pid;
		return SHMEM_FILE_IN_USE;
	}
	return unlinkat(fd, name, 0) < 0 ? -errno : 0;
}
