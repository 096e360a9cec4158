// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/runner_place.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "util/procfs.h"

void runner_name(const struct pvs_runner *runner, char ret[static RUNNER_NAME_MAX])
{
	memcpy(ret, runner->name, sizeof(runner->name));
	ret[sizeof(runner->name)] = '\0';
}

/* /proc may show more of a kernel thread's name than the thread has. */
static bool has_name(pid_t tid, const char *name)
{
	char path[64], comm[PROCFS_COMM_MAX + 2] = "";
	size_t length = strlen(name);

	snprintf(path, sizeof(path), "/proc/%d/comm", (int)tid);
	return procfs_read_file(path, comm, sizeof(comm)) > (ssize_t)length &&
	       memcmp(comm, name, length) == 0;
}

/* The path is that of the cgroup in which the thread was. An inode of 0 is that of none. */
static bool has_inode(const struct cgroup_cpu *cgroup, const char *group, uint64_t inode)
{
	char path[CGROUP_MOUNT_MAX + CGROUP_GROUP_MAX];
	struct stat st;

	snprintf(path, sizeof(path), "%s%s", cgroup->mount, group);
	return inode && stat(path, &st) == 0 && st.st_ino == inode;
}

static bool find_group(const struct pvs_runner *runner, const struct cgroup_cpu *cgroup,
                       char ret[static CGROUP_GROUP_MAX])
{
	enum procfs_cgroup_kind kind;
	char group[CGROUP_GROUP_MAX];

	if (!cgroup || procfs_cgroup(0, (pid_t)runner->tid, &kind, group, sizeof(group)) < 0 ||
	    cgroup_locate(cgroup, kind, group, ret) < 0 || !has_inode(cgroup, ret, runner->group)) {
		ret[0] = '\0';
		return false;
	}
	return true;
}

bool runner_place_find(const struct pvs_runner *runner, const struct inventory *inventory,
                       const struct cgroup_cpu *cgroup, struct runner_place *ret)
{
	pid_t tid = (pid_t)runner->tid, process;
	char name[RUNNER_NAME_MAX];

	*ret = (struct runner_place){0};
	runner_name(runner, name);
	if (!tid || !has_name(tid, name))
		return false;
	if (procfs_process(tid, &process) == 0)
		ret->domain = inventory_by_pid(inventory, process);
	return find_group(runner, cgroup, ret->group) || ret->domain;
}
