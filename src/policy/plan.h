/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The plan: what every vCPU of the host shall have, computed from all that is known at one moment.
 * Pure: no system call, no clock; the same input gives the same plan. It says what is wanted, not
 * how to get there: the order of the steps is the daemon's.
 *
 * The daemon resolves names before: an input that names a profile points to it, or is NULL where
 * there is none of that name.
 */

#include "core/bucket.h"
#include "policy/follow.h"
#include "policy/learn.h"
#include "policy/policy.h"
#include "policy/profile.h"
#include "util/base.h"

/** The host's switches, and whether the parts that bound a boost are there. */
struct plan_switches {
	bool enabled;           /* by the configuration */
	bool disabled;          /* by command, until the other command */
	bool breaker_open;      /* see breaker.h */
	bool guarded;           /* a guardian answers at real-time priority */
	bool preempt_rt;        /* the kernel is a PREEMPT_RT one */
	bool traced;            /* a tracer charges boosts */
	bool deadlines_refused; /* the kernel refused many of its timers a moment ago */
	bool booster_realtime;  /* the booster has its real-time priority */
};

/** What the host lets domains ask for in their metadata. */
enum plan_metadata_rule {
	PLAN_METADATA_IGNORE,
	PLAN_METADATA_OBSERVE, /* it is shown and has no effect */
	PLAN_METADATA_HONOUR,
};

struct plan_host {
	struct plan_switches switches;
	enum plan_metadata_rule metadata;
	uint32_t cpu_share_permille;    /* of each CPU, that may be promised */
	uint32_t domain_share_permille; /* of one CPU, for all vCPUs of a domain together */
	uint64_t domain_burst_ns, cpu_burst_ns;
	uint32_t slots;               /* so many vCPUs can be traced */
	bool grants_rt_budgets;       /* where a cgroup has too little for real-time threads */
	size_t cpu_words;             /* of every set of CPUs: CPU n is bit n % 64 of word n / 64 */
	const uint64_t *housekeeping; /* a vCPU confined to these is not boosted; empty: none */
};

enum plan_metadata_state {
	PLAN_METADATA_ABSENT,
	PLAN_METADATA_MALFORMED,
	PLAN_METADATA_WELL_FORMED,
};

/** What a domain's metadata asks for. */
struct plan_metadata {
	enum plan_metadata_state state;
	bool names_profile;
	const struct profile *profile; /* NULL: none is named, or it does not exist */
	uint32_t share_permille;       /* 0: not given */
	uint64_t burst_ns;             /* 0: not given */
};

/** A profile that is set by command. */
struct plan_override {
	const struct profile *profile; /* NULL: none is set */
	uint32_t share_permille;       /* in place of the profile's; 0: none */
	uint64_t burst_ns;             /* likewise */
	uint32_t policy;               /* in place of any profile's: registry.h; 0: none */
};

struct plan_domain_input {
	struct plan_override trial;      /* tried, for a window of a trial */
	struct plan_override command;    /* for now */
	struct plan_override persistent; /* for good */
	struct profile configured;       /* by its entry, or the default one */
	bool has_entry;                  /* the configuration names it */
	struct plan_metadata metadata;
	struct learned learned;   /* counts with a profile of mode auto */
	bool paused;              /* or saved, or being migrated */
	bool released;            /* by command, until a policy is set */
	uint64_t page_generation; /* of the guest pages that may be used; 0: none */
	uint32_t n_pages;
};

struct plan_vcpu_input {
	unsigned int domain;  /* its place in plan_input::domains */
	unsigned int index;   /* of the vCPU in its domain */
	const uint64_t *cpus; /* that its thread may run on; empty: not known */
	bool proven;          /* the thread is proven to be the vCPU */
	bool quota;           /* a CFS quota holds above it */
	bool has_group;       /* its cgroup is known */
	bool clamp_spent;     /* it ran clamped for as long as its profile allows */
};

struct plan_input {
	struct plan_host host;
	size_t n_domains;
	const struct plan_domain_input *domains;
	size_t n_vcpus;
	const struct plan_vcpu_input *vcpus;
};

/** What chose the profile: the first of these that names one. */
enum plan_origin {
	PLAN_BY_COMMAND,
	PLAN_BY_PERSISTENT_COMMAND,
	PLAN_BY_ENTRY,
	PLAN_BY_METADATA,
	PLAN_BY_DEFAULT,
	PLAN_BY_TRIAL, /* before all others, while a trial runs */
};

/** What became of a domain's metadata. */
enum plan_metadata_use {
	PLAN_METADATA_USE_NONE,      /* it has none */
	PLAN_METADATA_USE_IGNORED,   /* plan_host::metadata says so */
	PLAN_METADATA_USE_INVALID,   /* malformed, or it names a profile that does not exist */
	PLAN_METADATA_USE_OBSERVED,  /* plan_host::metadata says so */
	PLAN_METADATA_USE_OVERRULED, /* by command or by an entry */
	PLAN_METADATA_USE_HONOURED,
};

struct plan_domain {
	struct profile profile;         /* its mode is none but off, observe or boost */
	bool learns;                    /* the mode was auto: */
	struct recommend_limits limits; /* what may be learned at most */
	enum plan_origin origin;        /* of the profile */
	bool share_by_command;          /* the command that set the profile gave a share, too */
	bool burst_by_command;
	bool policy_by_command, policy_persists; /* it was assigned, until the end or for good */
	bool share_by_metadata; /* its metadata asked for less than the profile gives */
	bool burst_by_metadata;
	enum plan_metadata_use metadata_use;
	struct pvs_bucket_rule rule; /* of the bucket of all its vCPUs */
	uint32_t n_proven;         /* vCPUs that need a slot: proven, and the profile is not off */
	uint32_t n_slots;          /* so many of these have slots, the first ones */
	struct follow_plan follow; /* what its helpers have */
};

struct plan_vcpu {
	bool traced;                 /* else only @untraced counts */
	enum policy_reason untraced; /* PROFILE, UNPROVEN or NO_SLOT */
	struct profile profile;      /* its domain's, with the share that its CPUs have for it */
	uint32_t holds;              /* those that come from outside; the policy has its own, too */
	bool keeps_rt_budget;        /* what its cgroup was granted stays */
	uint32_t rt_permille;     /* its cgroup needs so much of each CPU; 0: nothing is granted */
	uint64_t slice_ns;        /* its thread keeps this slice; 0: none */
	uint32_t util_min;        /* and this clamp; 0: none */
	uint64_t page_generation; /* of its guest page; 0: it has none */
};

/** One result for each input, in the same order. */
struct plan {
	uint32_t holds; /* of every vCPU */
	struct plan_domain *domains;
	struct plan_vcpu *vcpus;
};

/** The holds of every vCPU that the switches make. */
uint32_t plan_host_holds(const struct plan_switches *switches);

/**
 * Fills in @ret, whose arrays have the lengths of the input's.
 * Returns 0; -ENOMEM: nothing is decided.
 */
int plan_make(const struct plan_input *input, struct plan *ret);

/** True if both allow a vCPU the same, under the same name. */
bool profile_equal(const struct profile *a, const struct profile *b);
