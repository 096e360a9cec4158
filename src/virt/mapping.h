/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Which thread of QEMU is which vCPU: decided from samples, without I/O. A thread's name is a claim
 * of QEMU, which may be compromised; what libvirt did with the thread (its cgroup) or wrote down
 * (the status file) confirms it. A thread made by a vCPU thread is born in that vCPU's group, so a
 * group alone does not confirm two threads. Where libvirt's two sources agree they win over the
 * number in the name, which counts creations and differs after `virsh setvcpu --enable` out of
 * order. Of a QEMU without libvirt it is only known how many vCPUs it may have.
 */

#include "model/domain.h"
#include "util/base.h"
#include "util/procfs_parse.h"
#include "virt/status_file.h"

/** What was found out of the ordinary, as a set of bits. */
enum mapping_note {
	MAPPING_TRUNCATED = 1 << 0,   /* more threads than are looked at or kept */
	MAPPING_SINGLE_TCG = 1 << 1,  /* one thread runs all vCPUs: nothing to boost */
	MAPPING_UNCONFIRMED = 1 << 2, /* a vCPU's name is not confirmed by anything (yet) */
	MAPPING_CONFLICT = 1 << 3,    /* the sources contradict each other about a vCPU */
	MAPPING_DUPLICATE = 1 << 4,   /* several threads claim to be the same vCPU */
};

/** One thread at one moment. */
struct thread_sample {
	struct thread_id id;
	char comm[PROCFS_COMM_MAX];
	char cgroup[CGROUP_PATH_MAX]; /* "" if not known */
};

/** What is known of a process that libvirt does not vouch for. */
struct process_evidence {
	struct thread_id id;
	bool claims;        /* one of its threads is named like a vCPU */
	bool executable;    /* it runs an executable that is held to be QEMU */
	size_t n_kvm_vcpus; /* different KVM vCPUs among its descriptors */
	size_t max_vcpus;   /* that its command line allowed when it was first seen */
};

/** What a thread's name claims. */
enum thread_claim {
	THREAD_CLAIM_VCPU,
	THREAD_CLAIM_ALL_VCPUS, /* "ALL CPUs/TCG" */
	THREAD_CLAIM_IOTHREAD,
	THREAD_CLAIM_VHOST,
	THREAD_CLAIM_OTHER,
};

/** Reads a thread's name; for THREAD_CLAIM_VCPU also the vCPU's number and whether KVM runs it. */
enum thread_claim mapping_parse_name(const char *comm, unsigned int *index, bool *kvm);

/**
 * Reads N of a group path that ends in "/vcpuN" with the parent @parent (a path prefix of
 * @parent_size bytes). Returns false for any other path.
 */
bool mapping_parse_group(const char *path, const char *parent, size_t parent_size,
                         unsigned int *index);

/**
 * Fills vcpus and helpers of @domain, which has none yet, from the samples of all threads of
 * domain->qemu; threads that are refused as vCPUs are helpers.
 * @status  NULL if not known
 * @notes   bits of enum mapping_note are added
 * Returns 0, or -ENOMEM.
 */
int mapping_build(struct domain *domain, const struct thread_sample *samples, size_t n,
                  const struct status_file *status, unsigned int *notes);

/**
 * The same for a process that libvirt does not vouch for. Of the threads that claim to be vCPUs, in
 * the kernel's order, which is that of their creation, as many are proven as it has KVM vCPUs, of
 * emulated ones as its command line allows; never more than that.
 */
int mapping_build_process(struct domain *domain, const struct thread_sample *samples, size_t n,
                          const struct process_evidence *process, unsigned int *notes);

/** Adds one helper. Returns 0, also when there is no room (MAPPING_TRUNCATED), or -ENOMEM. */
int mapping_add_helper(struct domain *domain, const struct thread_id *id, enum helper_role role,
                       unsigned int *notes);
