/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The accounts the tracer keeps, as the booster uses them: switching what is traced of a vCPU, and
 * taking a snapshot of facts for the policy. Plain memory, shared with BPF programs; the tracer
 * room provides it, tests and benchmarks may provide their own.
 */

#include <sys/types.h>

#include "guest/page.h"
#include "policy/policy.h"
#include "core/account.h"
#include "util/base.h"

struct accounts {
	struct pvs_vcpu_account *vcpus;     /* PVS_VCPUS_MAX */
	struct pvs_domain_account *domains; /* PVS_DOMAINS_MAX */
	struct pvs_cpu_account *cpus;       /* PVS_CPUS_MAX */
	struct pvs_bucket_rule *cpu_rule;   /* the same for every CPU */
	struct pvs_helper_account *helpers; /* PVS_HELPERS_MAX; NULL where no domain has any */
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

/** It is elevated, and was told to be out of tokens: from its next switch-in on it is watched anew.
 */
void account_watch_again(const struct accounts *accounts, unsigned int slot);

/** Asks the tracer to report the next halt, or not to. */
void account_report_halt(const struct accounts *accounts, unsigned int slot, bool report);

/** A snapshot for the policy: each shared word is read once. */
void account_facts(const struct accounts *accounts, unsigned int slot, uint64_t now_ns,
                   struct policy_facts *ret);

/**
 * The epoch of the vCPU's TID if its leader has the same one, see PVS_EPOCH_OVER; else
 * PVS_EPOCH_UNKNOWN: the account cannot tell whether the TID is still the vCPU's.
 */
uint32_t account_epoch(const struct accounts *accounts, unsigned int slot);

/** The tracer's look at a thread's timer slack is as good as one of our own for so long. */
#define ACCOUNT_SLACK_NS NSEC_PER_MSEC

/** The thread's timer slack, if it has just left its CPU. Returns true and *ret, or false. */
bool account_slack(const struct accounts *accounts, unsigned int slot, uint64_t now_ns,
                   uint64_t *ret);

/** What the vCPU has taken and not repaid at @now_ns. */
uint64_t account_owed_ns(const struct accounts *accounts, unsigned int slot, uint64_t now_ns);

/**
 * By how much the run that goes on, elevated, has overdrawn the vCPU's own bucket; 0: it does not
 * run elevated, or has not; in its run time, which prices may make less than what it owes. Of one
 * that is just leaving its CPU, the run may count twice.
 */
uint64_t account_overdrawn_ns(const struct accounts *accounts, unsigned int slot, uint64_t now_ns);

/** Does the bucket of @cpu hold a burst of the vCPU? */
bool account_has_room(const struct accounts *accounts, unsigned int slot, unsigned int cpu,
                      uint64_t now_ns);

/** What real-time threads that are no elevated vCPUs of ours ran on a CPU. */
uint64_t account_foreign_ns(const struct accounts *accounts, unsigned int cpu);

/** What was charged to a CPU for elevated vCPUs of ours. */
uint64_t account_elevated_ns(const struct accounts *accounts, unsigned int cpu);

/** Where the thread is now. */
enum policy_whereabouts account_whereabouts(const struct accounts *accounts, unsigned int slot);

/** Has the tracer tell the events that the policy wants besides. */
void account_report(const struct accounts *accounts, unsigned int slot,
                    const struct policy_view *view);

/** Has it tell when the thread is switched in next. */
void account_report_run(const struct accounts *accounts, unsigned int slot, bool report);

/**
 * Has it read the guest page at @address of QEMU (0: none) while its guest says hello to
 * @generation; @agent: also what the guest's scheduler writes.
 */
void account_set_page(const struct accounts *accounts, unsigned int slot, uint64_t address,
                      uint64_t generation, bool agent);

/** What it read last, unless @request is newer. Counts and clock of @request stay its own. */
void account_request(const struct accounts *accounts, unsigned int slot,
                     struct pvs_request *request);

/** How often it could not read the page; @read_ns gets when it could, last. */
uint32_t account_page_faults(const struct accounts *accounts, unsigned int slot, uint64_t *read_ns);

/** How often it saw a voice change to a word that has no meaning. */
uint32_t account_request_invalid(const struct accounts *accounts, unsigned int slot);

/** What the guest is told of its vCPU, as far as the tracer knows it. */
void account_snapshot(const struct accounts *accounts, unsigned int slot,
                      struct guest_snapshot *ret);
