/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "virt/threads.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/cleanup.h"
#include "util/procfs.h"
#include "virt/qemu.h"

/** Reads one thread. An unchanged start time shows that the TID was not reused meanwhile. */
static int sample_thread(pid_t pid, pid_t tid, struct thread_sample *ret)
{
	struct procfs_stat stat;
	int r = procfs_stat(pid, tid, &stat);

	if (r < 0)
		return r;
	ret->id = (struct thread_id){tid, stat.start_ticks};
	memcpy(ret->comm, stat.comm, sizeof(ret->comm));
	if (procfs_cgroup(pid, tid, &ret->cgroup_kind, ret->cgroup, sizeof(ret->cgroup)) < 0)
		ret->cgroup[0] = '\0';
	return thread_id_is_current(&ret->id) ? 0 : -ESRCH;
}

/** Samples all threads of a domain's QEMU, except those that end meanwhile. */
static int sample_all(struct domain *domain, struct thread_sample **ret, size_t *n,
                      unsigned int *notes)
{
	CLEANUP(cleanup_free) pid_t *tids = calloc(THREADS_MAX, sizeof(*tids));
	CLEANUP(cleanup_free) struct thread_sample *samples = NULL;
	pid_t pid = domain->qemu.tid;
	size_t i, n_tids, overflow;
	int r;

	if (!tids)
		return -ENOMEM;
	r = procfs_list_threads(pid, tids, THREADS_MAX, &n_tids, &overflow);
	if (r < 0)
		return -ESRCH;
	domain->left_out.threads = overflow;
	if (overflow > 0)
		*notes |= MAPPING_TRUNCATED;
	samples = calloc(n_tids + 1, sizeof(*samples));
	if (!samples)
		return -ENOMEM;
	for (i = *n = 0; i < n_tids; i++)
		if (sample_thread(pid, tids[i], &samples[*n]) == 0)
			(*n)++;
	*ret = STEAL(samples, NULL);
	return 0;
}

static int add_kernel_vhosts(struct domain *domain, const struct vhost_table *vhosts,
                             unsigned int *notes)
{
	size_t i;
	int r;

	for (i = 0; i < vhosts->n; i++) {
		if (vhosts->threads[i].owner != domain->qemu.tid)
			continue;
		r = mapping_add_helper(domain, &vhosts->threads[i].id, HELPER_VHOST, notes);
		if (r < 0)
			return r;
	}
	return 0;
}

/** Shrinks the array of helpers, which was allocated for the maximum, to what it holds. */
static void fit_helpers(struct domain *domain)
{
	struct helper_thread *fits;

	if (domain->n_helpers == 0)
		return;
	fits = reallocarray(domain->helpers, domain->n_helpers, sizeof(*fits));
	if (fits)
		domain->helpers = fits;
}

/** Completes a scan when the vCPUs are known. Their process must still be the same. */
static int finish(struct domain *domain, const struct vhost_table *vhosts, unsigned int *notes)
{
	int r = add_kernel_vhosts(domain, vhosts, notes);

	if (r < 0)
		return r;
	if (!thread_id_is_current(&domain->qemu))
		return -ESRCH;
	fit_helpers(domain);
	return 0;
}

int threads_scan_process(struct domain *domain, const struct process_evidence *process,
                         const struct vhost_table *vhosts, unsigned int *notes)
{
	CLEANUP(cleanup_free) struct thread_sample *samples = NULL;
	size_t n;
	int r;

	*notes = 0;
	domain->qemu = process->id;
	r = sample_all(domain, &samples, &n, notes);
	if (r < 0)
		return r;
	r = mapping_build_process(domain, samples, n, process, notes);
	return r < 0 ? r : finish(domain, vhosts, notes);
}

int threads_scan(struct domain *domain, const char *run_dir, struct cmdline_cache *cmdlines,
                 const struct vhost_table *vhosts, unsigned int *notes)
{
	CLEANUP(status_file_cleanup) struct status_file *status = NULL;
	CLEANUP(cleanup_free) struct thread_sample *samples = NULL;
	struct qemu_query query = {run_dir, domain->name, domain->uuid, cmdlines};
	struct cmdline_facts facts;
	size_t n;
	int r;

	*notes = 0;
	r = qemu_find(&query, &domain->qemu, &facts, &status);
	if (r < 0)
		return r;
	domain->topology = facts.topology;
	domain->cids = status ? status->cids : facts.args.cids; /* it may have been plugged in */
	r = sample_all(domain, &samples, &n, notes);
	if (r < 0)
		return r;
	r = mapping_build(domain, samples, n, status, notes);
	return r < 0 ? r : finish(domain, vhosts, notes);
}

int threads_changed(const struct thread_id *qemu, uint64_t *mark)
{
	CLEANUP(cleanup_free) pid_t *tids = calloc(THREADS_MAX, sizeof(*tids));
	uint64_t sum = UINT64_C(14695981039346656037); /* FNV-1a */
	size_t i, n, overflow;

	if (!tids)
		return -ENOMEM;
	if (!thread_id_is_alive(qemu))
		return -ESRCH;
	if (procfs_list_threads(qemu->tid, tids, THREADS_MAX, &n, &overflow) < 0)
		return -ESRCH;
	for (i = 0; i < n; i++)
		sum = (sum ^ (uint64_t)tids[i]) * UINT64_C(1099511628211);
	sum = (sum ^ overflow) | 1;
	if (sum == *mark)
		return 0;
	*mark = sum;
	return THREADS_CHANGED;
}
