/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Decides from samples, without I/O, which thread of QEMU is which vCPU.
 *
 * A thread's name is a claim of QEMU, which may be compromised. libvirt confirms it by the thread's
 * cgroup and by its status file. A thread that a vCPU thread makes starts in that vCPU's group, so
 * a group alone does not confirm two threads. Where cgroup and status file agree, they override the
 * number in the name. That number counts creations, and differs after `virsh setvcpu --enable` out
 * of order.
 *
 * For a QEMU without libvirt, only the number of vCPUs that it may have is known.
 */

#include "model/domain.h"
#include "util/base.h"
#include "util/procfs_parse.h"
#include "virt/status_file.h"

/** Anomalies, as a set of bits. */
enum mapping_note {
	MAPPING_TRUNCATED = 1 << 0,   /* more threads than are looked at or kept */
	MAPPING_SINGLE_TCG = 1 << 1,  /* one thread runs all vCPUs: nothing to boost */
	MAPPING_UNCONFIRMED = 1 << 2, /* nothing confirms the name of a vCPU thread (yet) */
	MAPPING_CONFLICT = 1 << 3,    /* the sources contradict each other about a vCPU */
	MAPPING_DUPLICATE = 1 << 4,   /* several threads claim to be the same vCPU */
	MAPPING_UNLISTED = 1 << 5,    /* more than DOMAIN_UNPROVEN_MAX are not confirmed (yet) */
	MAPPING_TOO_MANY = 1 << 6,    /* vCPUs: numbers from DOMAIN_VCPUS_MAX on */
};

/** One thread at one moment. */
struct thread_sample {
	struct thread_id id;
	char comm[PROCFS_COMM_MAX];
	enum procfs_cgroup_kind cgroup_kind;
	char cgroup[CGROUP_PATH_MAX]; /* "" if not known */
};

/** Evidence about a process that libvirt does not vouch for. */
struct process_evidence {
	struct thread_id id;
	bool claims;        /* one of its threads is named like a vCPU */
	bool executable;    /* it runs an executable that counts as QEMU */
	size_t n_kvm_vcpus; /* different KVM vCPUs among its descriptors */
	size_t max_vcpus;   /* vCPUs that its command line allowed when first seen */
	bool cut;           /* it has more descriptors than were searched for KVM vCPUs */
};

/** The claim of a thread's name. */
enum thread_claim {
	THREAD_CLAIM_VCPU,
	THREAD_CLAIM_VCPU_BEYOND, /* a vCPU with a number from DOMAIN_VCPUS_MAX on */
	THREAD_CLAIM_ALL_VCPUS,   /* "ALL CPUs/TCG" */
	THREAD_CLAIM_IOTHREAD,
	THREAD_CLAIM_VHOST,
	THREAD_CLAIM_OTHER,
};

/** Reads a thread's name; for THREAD_CLAIM_VCPU also the vCPU's number and whether it is KVM's. */
enum thread_claim mapping_parse_name(const char *comm, unsigned int *index, bool *kvm);

/**
 * Reads N of a group path that ends in "/vcpuN" with the parent @parent (a path prefix of
 * @parent_size bytes). Returns false for any other path.
 */
bool mapping_parse_group(const char *path, const char *parent, size_t parent_size,
                         unsigned int *index);

/**
 * Fills vcpus, helpers and left_out of @domain, which must be empty, from samples of all threads of
 * domain->qemu. Threads that are refused as vCPUs become helpers.
 * @status  NULL if not known
 * @notes   bits of enum mapping_note are added
 * Returns 0, or -ENOMEM.
 */
int mapping_build(struct domain *domain, const struct thread_sample *samples, size_t n,
                  const struct status_file *status, unsigned int *notes);

/**
 * The same for a process that libvirt does not vouch for. Threads that claim to be vCPUs are taken
 * in the kernel's order, which is that of their creation. KVM threads are proven up to the number
 * of KVM vCPUs that the process has. Emulated ones are proven only in a known executable without
 * KVM vCPUs. Neither exceeds the number that the command line allows.
 */
int mapping_build_process(struct domain *domain, const struct thread_sample *samples, size_t n,
                          const struct process_evidence *process, unsigned int *notes);

/**
 * Adds a helper. Where there is no room (MAPPING_TRUNCATED), an iothread or vhost thread takes the
 * place of one that has no such role: QEMU may make any number of those first.
 * Returns 0, also when it was left out, or -ENOMEM.
 */
int mapping_add_helper(struct domain *domain, const struct thread_id *id, enum helper_role role,
                       unsigned int *notes);
