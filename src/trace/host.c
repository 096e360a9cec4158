// SPDX-License-Identifier: GPL-2.0-or-later
#include "trace/host.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/account.h"
#include "util/cleanup.h"
#include "util/cpulist.h"

#define PATH_SIZE 1024

/* include/linux/proc_ns.h, PROC_PID_INIT_INO: the inode of the first PID namespace, in all kernels
 * since Linux 3.8. */
#define PID_NAMESPACE_OF_HOST 0xEFFFFFFCU

static bool path_of(const char *root, const char *name, char path[static PATH_SIZE])
{
	return snprintf(path, PATH_SIZE, "%s%s", root, name) < PATH_SIZE;
}

static bool in_namespace_of_host(const char *root)
{
	char path[PATH_SIZE];
	struct stat st;

	return path_of(root, "/proc/self/ns/pid", path) && stat(path, &st) == 0 &&
	       st.st_ino == PID_NAMESPACE_OF_HOST;
}

static int read_possible(const char *root, struct cpu_set_bits *ret)
{
	CLEANUP(cleanup_fd) int fd = -1;
	char path[PATH_SIZE], text[4096];
	ssize_t n;

	if (!path_of(root, "/sys/devices/system/cpu/possible", path))
		return -ENAMETOOLONG;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, text, sizeof(text) - 1);
	if (n <= 0)
		return n < 0 ? -errno : -ENODATA;
	text[n] = '\0';
	return cpulist_parse(text, ret);
}

int tracer_check_host(const char *root, char *why, size_t why_size)
{
	struct cpu_set_bits possible;
	int r = read_possible(root, &possible);

	if (!in_namespace_of_host(root)) {
		snprintf(why, why_size,
		         "pvschedd runs in a PID namespace of its own, as in a container: the "
		         "tracer sees the host's PIDs, and would charge other threads; run it "
		         "without a namespace, or with the host's (docker run --pid=host)");
		return -EOPNOTSUPP;
	}
	if (r < 0 && r != -ERANGE) {
		snprintf(why, why_size,
		         "/sys/devices/system/cpu/possible cannot be read, so it is not known "
		         "whether the host has CPUs that the tracer has no account for");
		return -EOPNOTSUPP;
	}
	if (r == -ERANGE || cpu_set_bits_next(&possible, PVS_CPUS_MAX) < CPU_SET_BITS_MAX) {
		snprintf(why, why_size,
		         "the host may have CPUs above number %d, for which the tracer has no "
		         "account: real time there would not be capped; if none of them exists, "
		         "boot with possible_cpus=%d",
		         PVS_CPUS_MAX - 1, PVS_CPUS_MAX);
		return -EOPNOTSUPP;
	}
	return 0;
}
