/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The accounts the tracer keeps, as the booster uses them: switching what is traced of a vCPU, and
 * taking a snapshot of facts for the policy. Plain memory, shared with BPF programs; the tracer
 * room provides it, tests and benchmarks may provide their own.
 */

#include <sys/types.h>

#include "policy/policy.h"
#include "pvsched/trace.h"
#include "util/base.h"

struct accounts {
	struct pvs_vcpu_account *vcpus;     /* PVS_VCPUS_MAX */
	struct pvs_domain_account *domains; /* PVS_DOMAINS_MAX */
	struct pvs_cpu_account *cpus;       /* PVS_CPUS_MAX */
	struct pvs_bucket_rule *cpu_rule;   /* the same for every CPU */
};

/** The daemon's part of a vCPU's account, set when its thread is taken on and at a new profile. */
struct account_terms {
	pid_t tid;
	unsigned int domain; /* slot */
	bool kvm;
	uint32_t priority; /* of boosts */
	struct profile profile;
};

/** Clears the account of a slot that is not traced. */
void account_reset(const struct accounts *accounts, unsigned int slot);

/** Applies terms; keeps the bucket, so that a change of profile forgives no debt. */
void account_set_terms(const struct accounts *accounts, unsigned int slot,
                       const struct account_terms *terms);

/** To be called before the thread is raised: from now on it is charged. */
void account_raised(const struct accounts *accounts, unsigned int slot, uint64_t now_ns);

/** To be called after it was lowered: up to now it was charged. */
void account_lowered(const struct accounts *accounts, unsigned int slot, uint64_t now_ns);

/** Asks the tracer to report the next halt, or not to. */
void account_report_halt(const struct accounts *accounts, unsigned int slot, bool report);

/** A snapshot for the policy: each shared word is read once. */
void account_facts(const struct accounts *accounts, unsigned int slot, uint64_t now_ns,
                   struct policy_facts *ret);

/** What the vCPU has taken and not repaid at @now_ns. */
uint64_t account_owed_ns(const struct accounts *accounts, unsigned int slot, uint64_t now_ns);
