/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What the daemon knows about a running VM: plain data, filled by a sensor (virt/) and handed over
 * by value. Only the owner of a pointer changes what it points to.
 */

#include <sys/types.h>

#include "model/cids.h"
#include "model/labels.h"
#include "model/topology.h"
#include "util/base.h"
#include "util/procfs_parse.h"
#include "util/thread_id.h"

/** Limits on outside data. Beyond one, a part is left out: see struct domain_left_out. */
#define DOMAIN_NAME_MAX  256 /* bytes with the NUL; libvirt's own limit is the file name's, 255 */
#define DOMAIN_VCPUS_MAX 512
/* Threads that have the name of a vCPU and no proof. They are listed, to show why none is boosted.
 */
#define DOMAIN_UNPROVEN_MAX 16
#define DOMAIN_HELPERS_MAX  256
#define DOMAIN_UUID_LEN     37 /* canonical text form with the NUL */
#define CGROUP_PATH_MAX     1024

/** What a helper, a thread that works for a domain, does. */
enum helper_role {
	HELPER_EMULATOR, /* QEMU's main loop, and each thread without another role */
	HELPER_IOTHREAD, /* "IO ..." threads */
	HELPER_VHOST,    /* "vhost-PID": a thread of QEMU since Linux 6.4, a kernel thread before */
};

struct helper_thread {
	struct thread_id id;
	enum helper_role role;
};

/** How the mapping of a vCPU to its thread was confirmed. A thread's name is only QEMU's claim. */
enum vcpu_proof {
	VCPU_PROOF_NONE = 0,    /* not confirmed: never boosted */
	VCPU_PROOF_CGROUP,      /* the thread is in the cgroup .../vcpuN of the domain */
	VCPU_PROOF_STATUS_FILE, /* libvirt's status file names this TID for this vCPU */
	/*
	 * Without libvirt, only QEMU says which of its threads are vCPUs. These proofs show that
	 * the process may have that many vCPUs. A QEMU process that lies gets other threads of its
	 * own boosted, with its vCPUs' tokens. That gains nothing: it could run the same code in a
	 * real vCPU thread.
	 */
	VCPU_PROOF_KVM,        /* the process has descriptors of as many KVM vCPUs */
	VCPU_PROOF_EXECUTABLE, /* the process runs an executable that is configured as QEMU */
};

struct vcpu_thread {
	unsigned int index; /* as in `virsh vcpuinfo`: N of "CPU N/KVM" */
	struct thread_id id;
	enum vcpu_proof proof;
	bool kvm; /* KVM runs it, not TCG */
	enum procfs_cgroup_kind cgroup_kind;
	char cgroup[CGROUP_PATH_MAX]; /* path in v1's cpu hierarchy or in v2; "": not known */
};

/** The source that found a domain. */
enum domain_source {
	DOMAIN_SOURCE_LIBVIRT = 0,
	DOMAIN_SOURCE_PROCFS, /* /proc has a QEMU process */
	_DOMAIN_SOURCE_MAX,
};

enum domain_state {
	DOMAIN_RUNNING,
	DOMAIN_PAUSED, /* suspended, being saved or migrated, or crashed but present */
};

/** State of the policy in a domain's <metadata>. */
enum domain_metadata_state {
	DOMAIN_METADATA_NONE = 0, /* there is no policy */
	DOMAIN_METADATA_VALID,
	DOMAIN_METADATA_INVALID, /* there is one, and it is ignored */
};

#define DOMAIN_METADATA_PROFILE_MAX  32
#define DOMAIN_METADATA_SHARE_MIN    1
#define DOMAIN_METADATA_SHARE_MAX    1000
#define DOMAIN_METADATA_BURST_US_MIN 50
#define DOMAIN_METADATA_BURST_US_MAX 10000

/**
 * The policy in a domain's <metadata>: a wish of the domain's owner. It is checked to be well
 * formed. Whether the profile exists is not checked here.
 */
struct domain_metadata {
	enum domain_metadata_state state;
	char profile[DOMAIN_METADATA_PROFILE_MAX]; /* [a-z0-9-]; "": not given */
	uint32_t share_permille;                   /* 0: not given */
	uint32_t burst_us;                         /* 0: not given */
	char error[128]; /* if DOMAIN_METADATA_INVALID: the reason, in printable ASCII */
};

#define DOMAIN_METADATA_NULL ((struct domain_metadata){0})

/** What the uuid of a domain is worth. */
enum domain_uuid_kind {
	DOMAIN_UUID_OWN = 0, /* libvirt's, or the one that its QEMU was started with */
	DOMAIN_UUID_SHARED,  /* another QEMU was started with it, too: which has it is chance */
	DOMAIN_UUID_MADE_UP, /* by us, for as long as this process lives */
};

/** What of a domain is not looked at, since there is more than a limit. */
struct domain_left_out {
	size_t vcpus;     /* threads named as vCPU DOMAIN_VCPUS_MAX or above */
	size_t unproven;  /* threads with the name of a vCPU beyond DOMAIN_UNPROVEN_MAX */
	size_t threads;   /* beyond those that a source looks at */
	size_t helpers;   /* iothreads and vhost threads beyond DOMAIN_HELPERS_MAX */
	bool descriptors; /* there are more than are searched for vCPUs of KVM */
};

/** One running domain. Immutable once shared: a change is a new struct that replaces the old. */
struct domain {
	unsigned int holders; /* besides the first */
	char uuid[DOMAIN_UUID_LEN];
	enum domain_uuid_kind uuid_kind;
	char name[DOMAIN_NAME_MAX]; /* with labels.vmid, its digits */
	struct domain_labels labels;
	bool names_threads; /* DOMAIN_SOURCE_PROCFS: its QEMU was asked to name its threads */
	enum domain_source source;
	enum domain_state state; /* DOMAIN_SOURCE_PROCFS cannot tell: always DOMAIN_RUNNING */
	struct domain_metadata metadata;
	struct thread_id qemu;
	struct topology topology; /* from QEMU's command line; TOPOLOGY_FLAT: not known */
	struct domain_cids cids;  /* as libvirt has them now, else from the command line */
	size_t n_vcpus;
	struct vcpu_thread *vcpus; /* sorted by index */
	size_t n_helpers;
	struct helper_thread *helpers; /* at most DOMAIN_HELPERS_MAX; emulators have to make room */
	struct domain_left_out left_out;
};

/** "own", "shared" or "made-up". */
const char *domain_uuid_kind_name(enum domain_uuid_kind kind);

/** "libvirt" or "procfs". */
const char *domain_source_name(enum domain_source source);

/** Adds a holder, which may be another thread, and returns @domain. Each holder frees it. */
struct domain *domain_share(struct domain *domain);

/** Drops one holder; the last one frees the domain. Takes NULL; returns NULL. */
struct domain *domain_free(struct domain *domain);

/** For CLEANUP(). */
void domain_cleanup(struct domain **domain);

/** Makes a domain without threads. Returns NULL when out of memory. */
struct domain *domain_new(const char *uuid, const char *name);

/** True if all members are equal, except the number of holders. */
bool domain_equal(const struct domain *a, const struct domain *b);

/** True if something of a domain is left out. */
bool domain_leaves_out(const struct domain *domain);

/** True if both have the same policy, or the same error. */
bool domain_metadata_equal(const struct domain_metadata *a, const struct domain_metadata *b);
