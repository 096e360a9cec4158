// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/report_cgroups.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define FIX                                                                                        \
	"let pvschedd see the host's cgroups; in a container: the host's cgroup namespace, and "   \
	"the host's /sys/fs/cgroup mounted"

static void describe_none(int error, char *text, size_t size)
{
	snprintf(text, size,
	         "no hierarchy of the cpu controller is found (%s): CFS quotas are not seen, and "
	         "RT budgets not granted",
	         error == -ENOENT         ? "none is mounted whole"
	         : error == -ENAMETOOLONG ? "its mount point has too long a path"
	                                  : strerror(-error));
}

bool report_cgroups(const struct views *views, const char **fix, char *text, size_t size)
{
	const struct cgroup_cpu *cpu = views->cgroup;
	size_t unseen = inventory_count_unseen(views->inventory), n;

	*fix = FIX;
	if (!cpu) {
		describe_none(views->cgroup_error, text, size);
		return false;
	}
	n = (size_t)snprintf(text, size, "cgroup v%d at %s", cpu->kind == PROCFS_CGROUP_V1 ? 1 : 2,
	                     cpu->mount);
	if (unseen > 0)
		snprintf(text + n, size - n,
		         "; the groups of %zu vCPUs cannot be looked at, so their CFS quotas are "
		         "not seen and they get no RT budget",
		         unseen);
	else
		*fix = "";
	return unseen == 0;
}
