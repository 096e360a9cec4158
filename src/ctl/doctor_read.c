/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/doctor_read.h"

#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include "util/cleanup.h"
#include "util/kernel_net.h"

#define TEXT_MAX    (512 * 1024)
#define THREADS_MAX 65536

/** A whole text file, which the caller frees; NULL: there is none, or it cannot be read. */
static char *read_text(const struct doctor_env *env, const char *name)
{
	CLEANUP(cleanup_free) char *text = malloc(TEXT_MAX);
	CLEANUP(cleanup_fd) int fd = -1;
	size_t size = 0;
	char path[1024];
	ssize_t n = 1;

	snprintf(path, sizeof(path), "%s%s", env->root, name);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 || !text)
		return NULL;
	while (n > 0 && size < TEXT_MAX - 1) {
		n = read(fd, text + size, TEXT_MAX - 1 - size);
		size += n > 0 ? (size_t)n : 0;
	}
	if (n < 0)
		return NULL;
	text[size] = '\0';
	return STEAL(text, NULL);
}

void doctor_read_rt_group(const struct doctor_env *env, struct doctor_report *report)
{
	CLEANUP(cleanup_free) char *cmdline = read_text(env, "/proc/cmdline"), *config = NULL;
	struct utsname name;
	char path[256];

	if (uname(&name) == 0) {
		snprintf(path, sizeof(path), "/boot/config-%s", name.release);
		config = read_text(env, path);
	}
	doctor_rt_group_sched(report, &(struct doctor_rt_group){
	                                      .compiled = kernel_net_btf_has(
	                                              env->root, "sched_group_set_rt_runtime"),
	                                      .cmdline = cmdline,
	                                      .config = config,
	                              });
}

/** All processes. Kernel threads are processes, too. The caller frees *ret. */
static size_t read_threads(const struct doctor_env *env, struct doctor_thread **ret)
{
	CLEANUP(cleanup_dir) DIR *dir = NULL;
	size_t n = 0, room = 0;
	struct dirent *entry;
	char path[1024];

	snprintf(path, sizeof(path), "%s/proc", env->root);
	dir = opendir(path);
	*ret = NULL;
	while (dir && n < THREADS_MAX && (entry = readdir(dir))) {
		CLEANUP(cleanup_free) char *text = NULL;
		struct doctor_thread *more;

		if (entry->d_name[0] < '1' || entry->d_name[0] > '9')
			continue;
		if (n == room) {
			room = room ? 2 * room : 1024;
			more = realloc(*ret, room * sizeof(*more));
			if (!more)
				break;
			*ret = more;
		}
		snprintf(path, sizeof(path), "/proc/%.16s/stat", entry->d_name);
		text = read_text(env, path);
		if (text && doctor_thread_parse(text, &(*ret)[n]) == 0)
			n++;
	}
	return n;
}

/** A file of the daemon's directory in /proc; NULL: none runs, or it has none. */
static char *read_of_daemon(const struct doctor_env *env, const struct doctor_thread *threads,
                            size_t n, const char *name)
{
	char path[64];

	for (size_t i = 0; i < n; i++) {
		if (env->daemon ? threads[i].pid != env->daemon
		                : strcmp(threads[i].comm, "pvschedd") != 0)
			continue;
		snprintf(path, sizeof(path), "/proc/%d/%s", threads[i].pid, name);
		return read_text(env, path);
	}
	return NULL;
}

/** Is it a vCPU's, with a cookie? QEMU's name for the thread is enough: nothing depends on it. */
static bool has_cookie(pid_t pid, pid_t tid)
{
	unsigned long cookie = 0;
	char path[64], comm[64] = "";
	CLEANUP(cleanup_fd) int fd = -1;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/comm", pid, tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, comm, sizeof(comm) - 1) <= 0 || strncmp(comm, "CPU ", 4) != 0)
		return false;
	return prctl(PR_SCHED_CORE, PR_SCHED_CORE_GET, tid, PR_SCHED_CORE_SCOPE_THREAD, &cookie) ==
	               0 &&
	       cookie;
}

static size_t count_cookies(const struct doctor_thread *threads, size_t n)
{
	size_t count = 0;

	for (size_t i = 0; i < n; i++) {
		CLEANUP(cleanup_dir) DIR *dir = NULL;
		struct dirent *entry;
		char path[64];

		if (strncmp(threads[i].comm, "qemu", 4) != 0 && strcmp(threads[i].comm, "kvm") != 0)
			continue;
		snprintf(path, sizeof(path), "/proc/%d/task", threads[i].pid);
		dir = opendir(path);
		while (dir && (entry = readdir(dir)))
			count += has_cookie(threads[i].pid, atoi(entry->d_name));
	}
	return count;
}

static void read_vhost_vsock(const struct doctor_env *env, struct doctor_report *report)
{
	struct doctor_node node = {0};
	const struct group *group;
	char path[1024], text[32];
	struct stat st;

	snprintf(path, sizeof(path), "%s/dev/vhost-vsock", env->root);
	if (stat(path, &st) == 0) {
		snprintf(text, sizeof(text), "%u", (unsigned int)st.st_gid);
		group = getgrgid(st.st_gid);
		node = (struct doctor_node){true, st.st_mode, group ? group->gr_name : text};
	}
	doctor_vhost_vsock(report, &node);
}

void doctor_read_host(const struct doctor_env *env, struct doctor_report *report)
{
	CLEANUP(cleanup_free) struct doctor_thread *threads = NULL;
	size_t n = read_threads(env, &threads);
	CLEANUP(cleanup_free) char *uring = read_text(env, "/proc/sys/kernel/io_uring_disabled");
	CLEANUP(cleanup_free)
	char *apparmor = read_text(env, "/sys/module/apparmor/parameters/enabled");
	CLEANUP(cleanup_free) char *selinux = read_text(env, "/sys/fs/selinux/enforce");
	CLEANUP(cleanup_free) char *label = read_of_daemon(env, threads, n, "attr/current");
	CLEANUP(cleanup_free) char *status = read_of_daemon(env, threads, n, "status");
	CLEANUP(cleanup_free) char *mountinfo = read_text(env, "/proc/self/mountinfo");
	CLEANUP(cleanup_free) char *smt = read_text(env, "/sys/devices/system/cpu/smt/active");
	CLEANUP(cleanup_free) char *qemu_conf = read_text(env, "/etc/libvirt/qemu.conf");

	doctor_kernel_threads(report, threads, n, env->rt_priority ? env->rt_priority : 1);
	doctor_other_pvschedd(report, threads, n, env->daemon);
	doctor_io_uring(report, uring, env->booster_wait ?: "");
	doctor_security(report, apparmor, selinux, label);
	doctor_hidepid(report, mountinfo, status);
	doctor_core_scheduling(report, smt, qemu_conf,
	                       env->root[0] ? 0 : count_cookies(threads, n));
	read_vhost_vsock(env, report);
}
