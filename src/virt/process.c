/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "virt/process.h"

#include <errno.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "util/cleanup.h"
#include "util/procfs.h"
#include "virt/threads.h"

/** The kernel appends this to the path of an executable that an upgrade has replaced. */
#define DELETED " (deleted)"

/** On x86, KVM numbers vCPUs by APIC id: with gaps, and not as in the names of threads. */
#define KVM_IDS_MAX 8192

#define KVM_VCPU "anon_inode:kvm-vcpu"

struct kvm_ids {
	size_t n;
	uint64_t seen[KVM_IDS_MAX / 64];
};

bool process_is_executable(const struct process_criteria *criteria, const char *path)
{
	size_t size = strlen(path), suffix = strlen(DELETED), i;
	char plain[PATH_MAX];

	if (size > suffix && strcmp(path + size - suffix, DELETED) == 0)
		size -= suffix;
	if (size >= sizeof(plain))
		return false;
	memcpy(plain, path, size);
	plain[size] = '\0';
	for (i = 0; i < criteria->n_executables; i++)
		if (fnmatch(criteria->executables[i], plain, FNM_PATHNAME) == 0)
			return true;
	return false;
}

/** Counts a descriptor of a KVM vCPU; two descriptors of one vCPU count once. */
static int count_descriptor(int dir_fd, const char *name, int fd, void *userdata)
{
	struct kvm_ids *ids = userdata;
	char link[64], *end;
	ssize_t n = readlinkat(dir_fd, name, link, sizeof(link) - 1);
	unsigned long id;

	(void)fd;
	if (n < (ssize_t)strlen(KVM_VCPU ":"))
		return 0;
	link[n] = '\0';
	if (strncmp(link, KVM_VCPU ":", strlen(KVM_VCPU ":")) != 0)
		return 0;
	id = strtoul(link + strlen(KVM_VCPU ":"), &end, 10);
	if (*end || id >= KVM_IDS_MAX || (ids->seen[id / 64] & UINT64_C(1) << id % 64))
		return 0;
	ids->seen[id / 64] |= UINT64_C(1) << id % 64;
	ids->n++;
	return 0;
}

/** Counts the KVM vCPUs that a process holds; 0 also if we may not look. */
static void count_kvm_vcpus(pid_t pid, struct process_evidence *ret)
{
	struct kvm_ids ids = {0};

	ret->cut = procfs_each_fd(pid, PROCESS_DESCRIPTORS_MAX, count_descriptor, &ids) == -E2BIG;
	ret->n_kvm_vcpus = ids.n;
}

/** The claims of a process's threads. */
struct claims {
	bool any; /* a vCPU, or all of them */
	bool kvm; /* a vCPU of KVM */
};

/** Looks at the names of as many threads as a scan does: vCPUs may be made after many others. */
static struct claims read_claims(pid_t pid)
{
	CLEANUP(cleanup_free) pid_t *tids = calloc(THREADS_MAX, sizeof(*tids));
	struct claims claims = {0};
	size_t i, n = 0, overflow;

	if (!tids || procfs_list_threads(pid, tids, THREADS_MAX, &n, &overflow) < 0 || n == 1)
		return claims;
	for (i = 0; i < n && !claims.kvm; i++) {
		enum thread_claim claim;
		struct procfs_stat stat;
		unsigned int index;
		bool kvm = false;

		if (procfs_stat(pid, tids[i], &stat) < 0)
			continue;
		claim = mapping_parse_name(stat.comm, &index, &kvm);
		claims.any |= claim == THREAD_CLAIM_VCPU || claim == THREAD_CLAIM_VCPU_BEYOND ||
		              claim == THREAD_CLAIM_ALL_VCPUS;
		claims.kvm |= claim == THREAD_CLAIM_VCPU && kvm;
	}
	return claims;
}

static bool is_believed(const struct process_criteria *criteria, uid_t user)
{
	size_t i;

	for (i = 0; i < criteria->n_users; i++)
		if (criteria->users[i] == user)
			return true;
	return false;
}

/** Checks all user ids of a process: any one of them suffices to put code into it. */
static int check_users(pid_t pid, const struct process_criteria *criteria)
{
	uid_t users[PROCFS_UIDS];
	size_t i;

	if (procfs_uids(pid, users) < 0)
		return -ESRCH;
	for (i = 0; i < PROCFS_UIDS; i++)
		if (!is_believed(criteria, users[i]))
			return PROCESS_OF_OTHER_USER;
	return 0;
}

static bool is_named_like_qemu(const char *comm)
{
	return strncmp(comm, "qemu", strlen("qemu")) == 0 || strcmp(comm, "kvm") == 0;
}

/**
 * Examines a process by its files. Of a user that is not believed, only the executable is looked
 * at: such a process may have thousands of threads and descriptors to be looked at.
 */
static int examine_files(pid_t pid, const char *comm, const struct process_criteria *criteria,
                         struct process_evidence *ret)
{
	int user = check_users(pid, criteria);
	struct claims claims;
	char path[PATH_MAX];
	int r = procfs_exe(pid, path, sizeof(path));

	if (r == -EACCES || r == -EPERM)
		return is_named_like_qemu(comm) ? PROCESS_FORBIDDEN : PROCESS_OTHER;
	if (r < 0)
		return r == -ESRCH ? -ESRCH : PROCESS_OTHER;
	ret->executable = process_is_executable(criteria, path);
	if (user != 0)
		return user < 0 || ret->executable ? user : PROCESS_OTHER;
	claims = read_claims(pid);
	ret->claims = claims.any;
	/* descriptors may be many: read them only if a thread is named like a KVM vCPU */
	if (claims.kvm)
		count_kvm_vcpus(pid, ret);
	return ret->executable || ret->n_kvm_vcpus > 0 ? 0 : PROCESS_OTHER;
}

int process_examine(pid_t pid, const struct process_criteria *criteria,
                    struct process_evidence *ret)
{
	struct procfs_stat stat;
	int r;

	if (procfs_stat(0, pid, &stat) < 0)
		return -ESRCH;
	if ((stat.flags & PROCFS_FLAG_KTHREAD) || stat.state == 'Z' || stat.state == 'X')
		return PROCESS_OTHER;
	*ret = (struct process_evidence){
	        .id = {pid, stat.start_ticks},
	        .max_vcpus = DOMAIN_VCPUS_MAX,
	};
	r = examine_files(pid, stat.comm, criteria, ret);
	/* again: it may have changed them meanwhile */
	if (r == 0)
		r = check_users(pid, criteria);
	if (r != 0)
		return r;
	return thread_id_is_current(&ret->id) ? 0 : -ESRCH;
}
