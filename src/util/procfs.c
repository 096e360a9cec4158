/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "util/procfs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "util/cleanup.h"
#include "util/read_all.h"

/** Longest stat line: 52 numbers of 20 digits and a name. */
#define STAT_FILE_MAX 2048

/** At most 32 hierarchies; a real file has a dozen lines, of which one is long. */
#define CGROUP_FILE_MAX 16384

/** The beginning of a status file that is read. */
#define STATUS_FILE_MAX 2048

#define PROC_PATH_MAX 64

/** Reads until @size bytes or the end. Returns the size read, or -errno. */
static ssize_t read_up_to(const char *path, char *buffer, size_t size)
{
	CLEANUP(cleanup_fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	return fd < 0 ? -errno : read_all(fd, buffer, size);
}

ssize_t procfs_read_file(const char *path, char *buffer, size_t size)
{
	ssize_t n = read_up_to(path, buffer, size);

	return n == (ssize_t)size ? -EFBIG : n;
}

int procfs_each_lines(const char *path, procfs_lines_fn *fn, void *userdata)
{
	CLEANUP(cleanup_fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	CLEANUP(cleanup_free) char *text = malloc(PROCFS_LINES_MAX);
	size_t held = 0, whole;
	const char *end;
	ssize_t n;

	if (fd < 0)
		return -errno;
	if (!text)
		return -ENOMEM;
	while ((n = read(fd, text + held, PROCFS_LINES_MAX - held)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		held += (size_t)n;
		end = memrchr(text, '\n', held);
		whole = end ? (size_t)(end - text) + 1 : held == PROCFS_LINES_MAX ? held : 0;
		if (whole > 0)
			fn(text, whole, userdata);
		held -= whole;
		memmove(text, text + whole, held);
	}
	if (held > 0)
		fn(text, held, userdata);
	return 0;
}

/** The path of a file of a thread; see procfs_stat() for @pid. */
static void thread_path(char *path, pid_t pid, pid_t tid, const char *file)
{
	if (pid > 0)
		snprintf(path, PROC_PATH_MAX, "/proc/%d/task/%d/%s", pid, tid, file);
	else
		snprintf(path, PROC_PATH_MAX, "/proc/%d/%s", tid, file);
}

int procfs_stat(pid_t pid, pid_t tid, struct procfs_stat *ret)
{
	char path[PROC_PATH_MAX], text[STAT_FILE_MAX];
	ssize_t size;
	int r;

	thread_path(path, pid, tid, "stat");
	size = procfs_read_file(path, text, sizeof(text));
	if (size < 0)
		return (int)size;
	r = procfs_parse_stat(text, (size_t)size, ret);
	if (r < 0)
		return r;
	return ret->pid == tid ? 0 : -EBADMSG;
}

int procfs_start_ticks(pid_t pid, pid_t tid, uint64_t *ret)
{
	struct procfs_stat stat;
	int r = procfs_stat(pid, tid, &stat);

	if (r == 0)
		*ret = stat.start_ticks;
	return r;
}

int procfs_cgroup(pid_t pid, pid_t tid, enum procfs_cgroup_kind *kind, char *path, size_t path_size)
{
	char file[PROC_PATH_MAX], text[CGROUP_FILE_MAX];
	ssize_t size;

	thread_path(file, pid, tid, "cgroup");
	size = procfs_read_file(file, text, sizeof(text));
	if (size < 0)
		return (int)size;
	return procfs_parse_cgroup(text, (size_t)size, kind, path, path_size);
}

/** The number that names an entry of /proc, or 0 for any other name. */
static int name_to_number(const char *name)
{
	int number = 0;

	for (; *name; name++) {
		if (*name < '0' || *name > '9' || number > (INT32_MAX - 9) / 10)
			return 0;
		number = number * 10 + (*name - '0');
	}
	return number;
}

int procfs_list_threads(pid_t pid, pid_t *tids, size_t max, size_t *n, size_t *overflow)
{
	CLEANUP(cleanup_dir) DIR *dir = NULL;
	char path[PROC_PATH_MAX];
	const struct dirent *entry;

	*n = *overflow = 0;
	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	if (!dir)
		return -errno;
	while (errno = 0, (entry = readdir(dir))) {
		pid_t tid = name_to_number(entry->d_name);

		if (tid == 0)
			continue;
		if (*n < max)
			tids[(*n)++] = tid;
		else
			(*overflow)++;
	}
	return -errno;
}

int procfs_each_process(size_t max, procfs_process_fn *fn, void *userdata)
{
	CLEANUP(cleanup_dir) DIR *dir = opendir("/proc");
	const struct dirent *entry;
	size_t n = 0;

	if (!dir)
		return -errno;
	while (errno = 0, (entry = readdir(dir))) {
		pid_t pid = name_to_number(entry->d_name);
		int r;

		if (pid == 0)
			continue;
		if (n++ == max)
			return -E2BIG;
		r = fn(pid, userdata);
		if (r != 0)
			return r;
	}
	return -errno;
}

ssize_t procfs_cmdline(pid_t pid, char *buffer, size_t size)
{
	char path[PROC_PATH_MAX];

	snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
	return read_up_to(path, buffer, size);
}

int procfs_exe(pid_t pid, char *path, size_t size)
{
	char link[PROC_PATH_MAX];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/%d/exe", pid);
	n = readlink(link, path, size);
	if (n < 0)
		return -errno;
	if ((size_t)n >= size)
		return -ENAMETOOLONG;
	path[n] = '\0';
	return 0;
}

int procfs_process(pid_t tid, pid_t *ret)
{
	char path[PROC_PATH_MAX], text[STATUS_FILE_MAX];
	ssize_t size;

	snprintf(path, sizeof(path), "/proc/%d/status", tid);
	size = read_up_to(path, text, sizeof(text));
	return size < 0 ? (int)size : procfs_parse_process(text, (size_t)size, ret);
}

int procfs_uids(pid_t pid, uid_t ret[static PROCFS_UIDS])
{
	char path[PROC_PATH_MAX], text[STATUS_FILE_MAX];
	ssize_t size;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	/* the user ids are in the first lines; the masks of CPUs and nodes come last */
	size = read_up_to(path, text, sizeof(text));
	return size < 0 ? (int)size : procfs_parse_uids(text, (size_t)size, ret);
}

int procfs_count_threads(size_t *ret)
{
	char text[128];
	ssize_t size = procfs_read_file("/proc/loadavg", text, sizeof(text));

	if (size < 0)
		return (int)size;
	text[size] = '\0';
	return sscanf(text, "%*s %*s %*s %*u/%zu", ret) == 1 ? 0 : -EBADMSG;
}

static void look_for_hidepid(const char *text, size_t size, void *userdata)
{
	int *hidepid = userdata, r = procfs_parse_hidepid(text, size);

	if (r >= 0)
		*hidepid = r;
}

int procfs_hidepid(void)
{
	int hidepid = -ENOENT;
	int r = procfs_each_lines("/proc/self/mountinfo", look_for_hidepid, &hidepid);

	return r < 0 ? r : hidepid;
}

int procfs_last_pid(pid_t *ret)
{
	char text[128];
	ssize_t size = procfs_read_file("/proc/loadavg", text, sizeof(text));

	if (size < 0)
		return (int)size;
	text[size] = '\0';
	return sscanf(text, "%*s %*s %*s %*s %d", ret) == 1 ? 0 : -EBADMSG;
}

int procfs_each_fd(pid_t pid, size_t max, procfs_fd_fn *fn, void *userdata)
{
	CLEANUP(cleanup_dir) DIR *dir = NULL;
	char path[PROC_PATH_MAX];
	const struct dirent *entry;
	size_t n = 0;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	dir = opendir(path);
	if (!dir)
		return -errno;
	while (errno = 0, (entry = readdir(dir))) {
		int r;

		if (entry->d_name[0] == '.')
			continue;
		if (n++ == max)
			return -E2BIG;
		r = fn(dirfd(dir), entry->d_name, name_to_number(entry->d_name), userdata);
		if (r != 0)
			return r;
	}
	return -errno;
}

int procfs_boot_id(char ret[static PROCFS_BOOT_ID_LEN])
{
	char text[PROCFS_BOOT_ID_LEN + 8];
	ssize_t size = procfs_read_file("/proc/sys/kernel/random/boot_id", text, sizeof(text));

	if (size < 0)
		return (int)size;
	if (size < PROCFS_BOOT_ID_LEN - 1)
		return -EBADMSG;
	memcpy(ret, text, PROCFS_BOOT_ID_LEN - 1);
	ret[PROCFS_BOOT_ID_LEN - 1] = '\0';
	return 0;
}
