// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/softirq_threads.h"

#include <stdio.h>
#include <sys/utsname.h>

#include "util/procfs.h"

/* A bound for one look at /proc; kernel threads have the lowest numbers. */
#define PROCESSES_MAX 100000

static int on_process(pid_t pid, void *userdata)
{
	struct tracer *tracer = userdata;
	struct procfs_stat stat;
	unsigned int cpu;

	if (procfs_stat(0, pid, &stat) == 0 && (stat.flags & PROCFS_FLAG_KTHREAD) &&
	    sscanf(stat.comm, "ksoftirqd/%u", &cpu) == 1)
		tracer_set_softirqd(tracer, cpu, pid);
	return 0;
}

bool softirq_threads_matter(const char *release)
{
	unsigned int major, minor;

	if (sscanf(release, "%u.%u", &major, &minor) != 2)
		return true;
	return major < 6 || (major == 6 && minor < 5);
}

int softirq_threads_find(struct tracer *tracer)
{
	struct utsname name;
	int r;

	if (uname(&name) == 0 && !softirq_threads_matter(name.release))
		return 0;
	r = procfs_each_process(PROCESSES_MAX, on_process, tracer);
	return r < 0 ? r : 0;
}
