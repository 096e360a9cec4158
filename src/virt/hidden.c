/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "virt/hidden.h"

#include <stdio.h>
#include <sys/stat.h>

#include "util/procfs.h"

/** Processes that are counted: more than PID_MAX_LIMIT of the kernel. */
#define PROCESSES_MAX (4096 * 1024)

/** Adds the threads of a process; one that may not be looked at into has none that are seen. */
static int count_threads(pid_t pid, void *userdata)
{
	size_t *n = userdata;
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	if (stat(path, &st) == 0 && st.st_nlink > 2)
		*n += st.st_nlink - 2;
	return 0;
}

size_t hidden_threads(size_t *before)
{
	size_t seen = 0, all = 0, after = 0, last = *before;

	*before = 0;
	if (procfs_count_threads(&all) < 0 ||
	    procfs_each_process(PROCESSES_MAX, count_threads, &seen) < 0 ||
	    procfs_count_threads(&after) < 0)
		return 0;
	all = MIN(all, after);
	*before = all > seen ? all - seen : 0;
	last = MIN(last, *before);
	return last > 0 && procfs_hidepid() > 0 ? last : 0;
}
