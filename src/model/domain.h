/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What the daemon knows of a running VM: plain data, found by a sensor (virt/) and handed over by
 * value. Nobody but the owner of a pointer changes what it points to.
 */

#include <sys/types.h>

#include "model/topology.h"
#include "util/base.h"
#include "util/thread_id.h"

/** Bounds on what is believed of the outside. A domain beyond them is refused and said so. */
#define DOMAIN_NAME_MAX    256 /* bytes with the NUL; libvirt's own limit is the file name's, 255 */
#define DOMAIN_VCPUS_MAX   512
#define DOMAIN_HELPERS_MAX 256
#define DOMAIN_UUID_LEN    37 /* canonical text form with the NUL */
#define CGROUP_PATH_MAX    1024

/** What a thread of QEMU does for its domain. */
enum helper_role {
	HELPER_EMULATOR, /* QEMU's main loop and all threads of no other role */
	HELPER_IOTHREAD, /* "IO ..." threads */
	HELPER_VHOST,    /* "vhost-PID": a thread of QEMU from Linux 6.4, of the kernel before */
};

struct helper_thread {
	struct thread_id id;
	enum helper_role role;
};

/** How the mapping of a vCPU to its thread was confirmed, the thread's name being only a claim. */
enum vcpu_proof {
	VCPU_PROOF_NONE = 0,    /* not confirmed: never boosted */
	VCPU_PROOF_CGROUP,      /* the thread is in the cgroup .../vcpuN of the domain */
	VCPU_PROOF_STATUS_FILE, /* libvirt's status file names this tid for this vCPU */
	/*
	 * Without libvirt, QEMU alone says which of its threads are vCPUs, so what is proven is
	 * that the process may have as many. One that lies has its other threads boosted instead,
	 * with the tokens that its vCPUs would have had; it could run the same code in a true vCPU
	 * thread.
	 */
	VCPU_PROOF_KVM,        /* the process holds as many KVM vCPUs, by its descriptors */
	VCPU_PROOF_EXECUTABLE, /* the process runs an executable that is held to be QEMU */
};

struct vcpu_thread {
	unsigned int index; /* as in `virsh vcpuinfo`: N of "CPU N/KVM" */
	struct thread_id id;
	enum vcpu_proof proof;
	bool kvm;                     /* KVM runs it, not TCG */
	char cgroup[CGROUP_PATH_MAX]; /* path in the cpu controller's hierarchy (v1) or v2, or "" */
};

/** Who says that a domain is there. */
enum domain_source {
	DOMAIN_SOURCE_LIBVIRT = 0,
	DOMAIN_SOURCE_PROCFS, /* a process that is QEMU */
	_DOMAIN_SOURCE_MAX,
};

enum domain_state {
	DOMAIN_RUNNING,
	DOMAIN_PAUSED, /* suspended, being saved, migrated, or crashed but present */
};

/** What is known of the policy in a domain's <metadata>. */
enum domain_metadata_state {
	DOMAIN_METADATA_NONE = 0, /* there is none */
	DOMAIN_METADATA_VALID,
	DOMAIN_METADATA_INVALID, /* it counts for nothing */
};

#define DOMAIN_METADATA_PROFILE_MAX  32
#define DOMAIN_METADATA_SHARE_MIN    1
#define DOMAIN_METADATA_SHARE_MAX    1000
#define DOMAIN_METADATA_BURST_US_MIN 50
#define DOMAIN_METADATA_BURST_US_MAX 10000

/**
 * What a domain's <metadata> asks for: a wish of whoever defines the domain, checked to be well
 * formed and no more. Whether the profile exists is not known here.
 */
struct domain_metadata {
	enum domain_metadata_state state;
	char profile[DOMAIN_METADATA_PROFILE_MAX]; /* [a-z0-9-]; "": not given */
	uint32_t share_permille;                   /* 0: not given */
	uint32_t burst_us;                         /* 0: not given */
	char error[128]; /* DOMAIN_METADATA_INVALID: why, printable ASCII */
};

#define DOMAIN_METADATA_NULL ((struct domain_metadata){0})

/** One running domain, whole: a new one replaces the old, and nobody changes one that is shared. */
struct domain {
	unsigned int holders; /* besides the first */
	char uuid[DOMAIN_UUID_LEN];
	char name[DOMAIN_NAME_MAX];
	enum domain_source source;
	enum domain_state state; /* always DOMAIN_RUNNING from DOMAIN_SOURCE_PROCFS: not known */
	struct domain_metadata metadata;
	struct thread_id qemu;
	struct topology topology; /* as its QEMU was started with; TOPOLOGY_FLAT: not known */
	size_t n_vcpus;
	struct vcpu_thread *vcpus; /* sorted by index */
	size_t n_helpers;
	struct helper_thread *helpers; /* the first DOMAIN_HELPERS_MAX */
};

/** "libvirt" or "procfs". */
const char *domain_source_name(enum domain_source source);

/** For one holder more, maybe in another thread. Returns it; each holder frees it. */
struct domain *domain_share(struct domain *domain);

/** Frees a domain with all it owns when nobody else holds it; takes NULL; returns NULL. */
struct domain *domain_free(struct domain *domain);

/** Frees the domain a variable points to: for CLEANUP(). */
void domain_cleanup(struct domain **domain);

/** A domain without threads. Outcomes: NULL when memory is out. */
struct domain *domain_new(const char *uuid, const char *name);

/** True if both have the same threads in the same roles and the same state, name and metadata. */
bool domain_equal(const struct domain *a, const struct domain *b);

/** True if both ask for the same. */
bool domain_metadata_equal(const struct domain_metadata *a, const struct domain_metadata *b);
