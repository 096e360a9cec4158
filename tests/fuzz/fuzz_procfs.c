/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The parsers of /proc and of thread names: whatever they read, they stay within it. */

#include "fuzz.h"
#include "util/procfs_parse.h"
#include "virt/mapping.h"

static void fuzz_paths(const char *text, size_t size)
{
	enum procfs_cgroup_kind kind;
	struct procfs_cgroup_mount mount;
	char path[128];

	if (procfs_parse_cgroup(text, size, &kind, path, sizeof(path)) == 0)
		FUZZ_CHECK(path[0] == '/' && strlen(path) < sizeof(path));
	if (procfs_parse_cgroup_mount(text, size, PROCFS_CGROUP_V1, &mount) == 0)
		FUZZ_CHECK(strlen(mount.point) < sizeof(mount.point));
	procfs_parse_cgroup_mount(text, size, PROCFS_CGROUP_V2, &mount);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	uid_t uids[PROCFS_UIDS];
	struct procfs_stat stat;
	unsigned int index = 0;
	pid_t process;
	bool kvm;

	if (procfs_parse_stat(text, size, &stat) == 0 &&
	    mapping_parse_name(stat.comm, &index, &kvm) == THREAD_CLAIM_VCPU)
		FUZZ_CHECK(index < DOMAIN_VCPUS_MAX);
	fuzz_paths(text, size);
	procfs_parse_uids(text, size, uids);
	procfs_parse_hidepid(text, size);
	FUZZ_CHECK(procfs_parse_read_only(text, size, 33) <= 1);
	if (procfs_parse_process(text, size, &process) == 0)
		FUZZ_CHECK(process >= 0);
	return 0;
}
