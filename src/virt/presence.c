/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "virt/presence.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/inotify.h>

#include "util/cleanup.h"

static const struct {
	const char *name;
	const char *pid_file;
	const char *socket;
} daemons[] = {
        {"libvirtd", "libvirtd.pid", "libvirt/libvirt-sock-ro"},
        {"virtqemud", "virtqemud.pid", "libvirt/virtqemud-sock-ro"},
};

/**
 * Returns the PID of the process that holds a write lock on the file; 0 if that has none in our PID
 * namespace; -1 if no process holds one.
 */
static pid_t lock_holder(const char *path)
{
	CLEANUP(cleanup_fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	if (fd < 0 || fcntl(fd, F_GETLK, &lock) < 0 || lock.l_type == F_UNLCK)
		return -1;
	return MAX(lock.l_pid, 0); /* -1 stands for an open file description lock */
}

int presence_check(const char *run_dir, struct libvirt_daemon *ret)
{
	char path[PATH_MAX];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(daemons); i++) {
		int n = snprintf(path, sizeof(path), "%s/%s", run_dir, daemons[i].pid_file);

		if (n >= (int)sizeof(path))
			return -ENAMETOOLONG;
		ret->pid = lock_holder(path);
		if (ret->pid < 0)
			continue;
		ret->name = daemons[i].name;
		n = snprintf(ret->socket, sizeof(ret->socket), "%s/%s", run_dir, daemons[i].socket);
		return n < (int)sizeof(ret->socket) ? 0 : -ENAMETOOLONG;
	}
	return PRESENCE_NONE;
}

int presence_watch(const char *run_dir)
{
	CLEANUP(cleanup_fd) int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

	if (fd < 0)
		return -errno;
	if (inotify_add_watch(fd, run_dir, IN_CREATE | IN_MODIFY | IN_MOVED_TO | IN_ONLYDIR) < 0)
		return -errno;
	return STEAL(fd, -1);
}

static bool is_pid_file(const struct inotify_event *event)
{
	size_t i;

	for (i = 0; event->len > 0 && i < ARRAY_SIZE(daemons); i++)
		if (strcmp(event->name, daemons[i].pid_file) == 0)
			return true;
	return false;
}

bool presence_touched(int fd)
{
	char buffer[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
	bool touched = false;
	ssize_t n;

	while ((n = read(fd, buffer, sizeof(buffer))) > 0) {
		const char *at = buffer;

		while (at < buffer + n) {
			const struct inotify_event *event = (const struct inotify_event *)at;

			touched |= (event->mask & IN_Q_OVERFLOW) || is_pid_file(event);
			at += sizeof(*event) + event->len;
		}
	}
	return touched;
}
