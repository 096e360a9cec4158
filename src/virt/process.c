/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "virt/process.h"

#include <errno.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "util/cleanup.h"
#include "util/procfs.h"

/** What the kernel appends to the path of an executable that an upgrade has replaced. */
#define DELETED " (deleted)"

/** Threads whose names are looked at, and descriptors. */
#define NAMES_MAX       1024
#define DESCRIPTORS_MAX 16384

/** Numbers of KVM's vCPUs on x86 are APIC ids, which have gaps: not those in the threads' names. */
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

/** Counts a descriptor that is a KVM vCPU; the same one twice is one vCPU. */
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

/** How many KVM vCPUs a process holds; 0 also where we may not look. */
static size_t count_kvm_vcpus(pid_t pid)
{
	struct kvm_ids ids = {0};

	procfs_each_fd(pid, DESCRIPTORS_MAX, count_descriptor, &ids);
	return ids.n;
}

/** What the threads of a process claim to be. */
struct claims {
	bool any; /* a vCPU, or all of them */
	bool kvm; /* a vCPU of KVM */
};

static struct claims read_claims(pid_t pid)
{
	CLEANUP(cleanup_free) pid_t *tids = calloc(NAMES_MAX, sizeof(*tids));
	struct claims claims = {0};
	size_t i, n = 0, overflow;

	if (!tids || procfs_list_threads(pid, tids, NAMES_MAX, &n, &overflow) < 0 || n == 1)
		return claims;
	for (i = 0; i < n && !claims.kvm; i++) {
		enum thread_claim claim;
		struct procfs_stat stat;
		unsigned int index;
		bool kvm = false;

		if (procfs_stat(pid, tids[i], &stat) < 0)
			continue;
		claim = mapping_parse_name(stat.comm, &index, &kvm);
		claims.any |= claim == THREAD_CLAIM_VCPU || claim == THREAD_CLAIM_ALL_VCPUS;
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

/** All of its users: one of them is enough to put code into it. */
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

/** What can be said by its files, whoever it belongs to. */
static int examine_files(pid_t pid, const char *comm, const struct process_criteria *criteria,
                         struct process_evidence *ret)
{
	struct claims claims;
	char path[PATH_MAX];
	int r = procfs_exe(pid, path, sizeof(path));

	if (r == -EACCES || r == -EPERM)
		return is_named_like_qemu(comm) ? PROCESS_FORBIDDEN : PROCESS_OTHER;
	if (r < 0)
		return r == -ESRCH ? -ESRCH : PROCESS_OTHER;
	ret->executable = process_is_executable(criteria, path);
	claims = read_claims(pid);
	ret->claims = claims.any;
	/* descriptors are many: only of those who say so */
	if (claims.kvm)
		ret->n_kvm_vcpus = count_kvm_vcpus(pid);
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
	if (r == 0)
		r = check_users(pid, criteria);
	if (r != 0)
		return r;
	return thread_id_is_current(&ret->id) ? 0 : -ESRCH;
}
