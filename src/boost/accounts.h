/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The tracer's accounts, as the booster uses them: it sets what is traced of a vCPU, and takes
 * snapshots of facts for the policy. The accounts are plain memory that is shared with BPF
 * programs. src/trace/ provides it; tests and benchmarks may provide their own.
 */

#include <sys/types.h>

#include "guest/page.h"
#include "policy/help.h"
#include "policy/policy.h"
#include "core/account.h"
#include "util/base.h"

struct accounts {
	struct pvs_vcpu_account *vcpus;     /* PVS_VCPUS_MAX */
	struct pvs_domain_account *domains; /* PVS_DOMAINS_MAX */
	struct pvs_cpu_account *cpus;       /* PVS_CPUS_MAX */
	struct pvs_bucket_rule *cpu_rule;   /* the same for every CPU */
	struct pvs_helper_account *helpers; /* PVS_HELPERS_MAX; NULL where no domain has any */
	struct pvs_moved *moved;            /* NULL: no tracer says which vCPUs have moved */
	const uint64_t *events_lost;        /* for which the ring had no room; NULL: none is */
	struct pvs_prices *prices;          /* of the machine; NULL: the usual ones */
};

/** The daemon's part of a vCPU's account, set when its thread is taken on and with a new profile.
 */
struct account_terms {
	pid_t tid;
	unsigned int domain; /* slot */
	bool kvm;
	bool resets_forks; /* the thread has SCHED_RESET_ON_FORK from us: see standing.h */
	uint32_t priority; /* of boosts */
	uint32_t helper;   /* which helper it is, plus 1: core/follow.h; 0: it is a vCPU */
	struct profile profile;
};

/** Does a profile want to know to which vCPU one of its own sends interrupts? */
static inline bool account_relates(const struct profile *profile)
{
	return help_is_wanted(profile) && (profile->help & PROFILE_HELP_IPI);
}

/** Clears the account of a slot that is not traced. */
void account_reset(const struct accounts *accounts, unsigned int slot);

/** Is a vCPU boosted that is charged to the domain in this slot? */
bool account_domain_is_boosted(const struct accounts *accounts, unsigned int domain);

/** Applies terms; keeps the bucket, so that a change of profile forgives no debt. */
void account_set_terms(const struct accounts *accounts, unsigned int slot,
                       const struct account_terms *terms);

/** Clears the account of a domain none of whose threads is traced. */
void account_reset_domain(const struct accounts *accounts, unsigned int domain);

/** What all vCPUs of a domain together may take. Its bucket stays as it is. */
void account_set_domain_rule(const struct accounts *accounts, unsigned int domain,
                             const struct pvs_bucket_rule *rule);

/** What all real-time threads of a CPU together may take: the same for every CPU. */
void account_set_cpu_rule(const struct accounts *accounts, const struct pvs_bucket_rule *rule);

/** What a switch and the end of a boost count for here: see core/costs.h. */
void account_set_prices(const struct accounts *accounts, const struct pvs_prices *prices);

/** The same, as they are now; none is 0. */
struct pvs_prices account_prices(const struct accounts *accounts);

/**
 * When boosts end on any CPU: once its real-time threads have run for @limit_ns in the last second.
 * See core/sheet.h; at most a second.
 */
void account_set_sheets(const struct accounts *accounts, uint64_t limit_ns);

/** To be called before the thread is boosted: it is charged from @now_ns on. */
void account_boosted(const struct accounts *accounts, unsigned int slot, uint64_t now_ns);

/** To be called after the boost has ended: the thread is charged until @now_ns. */
void account_unboosted(const struct accounts *accounts, unsigned int slot, uint64_t now_ns);

/**
 * For a boosted thread whose tokens have ended, and whose boost goes on: from its next switch-in on
 * the tracer has a deadline for it again. Its present run is not watched any more.
 */
void account_watch_again(const struct accounts *accounts, unsigned int slot);

/** Asks the tracer to report the next halt, or not to. */
void account_report_halt(const struct accounts *accounts, unsigned int slot, bool report);

/** Takes a snapshot for the policy. Each shared word is read once. */
void account_facts(const struct accounts *accounts, unsigned int slot, uint64_t now_ns,
                   struct policy_facts *ret);

/**
 * What the vCPU in slot @waiter offers for a pulse of @awaited, another one of its domain: its own
 * tokens, or its domain's alone where it has too few.
 */
struct policy_offer account_offer(const struct accounts *accounts, unsigned int waiter,
                                  unsigned int awaited, uint64_t now_ns);

/**
 * To be called before account_boosted(): who pays for this boost, and how long it may run then.
 * @payer as pvs_vcpu_account::payer; 0: the vCPU itself, while it has tokens.
 */
void account_set_payer(const struct accounts *accounts, unsigned int slot, uint32_t payer,
                       uint64_t pulse_ns);

/** Waits of the vCPU for others are not reported before @from_ns. */
void account_set_waits_from(const struct accounts *accounts, unsigned int slot, uint64_t from_ns);

/** How @sibling looks to @waiter, which waits as @arg, of a PVS_EVENT_WAITS, says. */
struct help_sibling account_sibling(const struct accounts *accounts, unsigned int waiter,
                                    unsigned int sibling, uint32_t arg, uint64_t now_ns);

/**
 * The epoch of the vCPU's TID if its leader has the same one, see PVS_EPOCH_OVER; else
 * PVS_EPOCH_UNKNOWN: the account cannot tell whether the TID is still the vCPU's.
 */
uint32_t account_epoch(const struct accounts *accounts, unsigned int slot);

/** For so long the timer slack that the tracer has read counts as if it were read now. */
#define ACCOUNT_SLACK_NS NSEC_PER_MSEC

/** The timer slack of a thread that has just left its CPU. Returns true and *ret, or false. */
bool account_slack(const struct accounts *accounts, unsigned int slot, uint64_t now_ns,
                   uint64_t *ret);

/**
 * Boosted run time that the vCPU was charged for and has not repaid at @now_ns. It compares vCPUs
 * whose shares and prices differ: the time that it takes to repay does not.
 */
uint64_t account_owed_ns(const struct accounts *accounts, unsigned int slot, uint64_t now_ns);

/**
 * The overdraft of the present boosted run from the vCPU's own bucket, in ns of run time; 0 if the
 * vCPU does not run boosted, or still has tokens. It may be less than the debt, which prices scale.
 * The run of a vCPU that is just leaving its CPU may count twice.
 */
uint64_t account_overdrawn_ns(const struct accounts *accounts, unsigned int slot, uint64_t now_ns);

/** Do the bucket of @cpu and its sheet hold a burst of the vCPU? */
bool account_has_room(const struct accounts *accounts, unsigned int slot, unsigned int cpu,
                      uint64_t now_ns);

/** Run time of real-time threads on a CPU that are no boosted vCPUs. */
uint64_t account_foreign_ns(const struct accounts *accounts, unsigned int cpu);

/**
 * How long the thread has run in all, until @now_ns. In the middle of a switch its last run may
 * count twice, or not at all: words of a guest may lapse early for a moment then, and not late.
 */
uint64_t account_run_ns(const struct accounts *accounts, unsigned int slot, uint64_t now_ns);

/** Whether the thread runs, waits or sleeps now. */
enum policy_whereabouts account_whereabouts(const struct accounts *accounts, unsigned int slot);

/** Asks the tracer to report the events that the policy wants as well, and tells its counts. */
void account_report(const struct accounts *accounts, unsigned int slot,
                    const struct policy_view *view);

/** Asks the tracer to report the next switch-in of the thread, or not to. */
void account_report_run(const struct accounts *accounts, unsigned int slot, bool report);

/**
 * Has the tracer read the guest page at @address in QEMU (0: none), as long as the guest's hello is
 * to @generation. @agent: also the words that the guest's scheduler writes.
 */
void account_set_page(const struct accounts *accounts, unsigned int slot, uint64_t address,
                      uint64_t generation, bool agent);

/** What the tracer read last, unless @request is newer. @request keeps its counts and its clock. */
void account_request(const struct accounts *accounts, unsigned int slot,
                     struct pvs_request *request);

/** How often the tracer could not read the page. *read_ns: when it read it last. */
uint32_t account_page_faults(const struct accounts *accounts, unsigned int slot, uint64_t *read_ns);

/** How often the tracer saw one of the words change to an invalid value. */
uint32_t account_request_invalid(const struct accounts *accounts, unsigned int slot);

/** The part of what the guest is told of its vCPU that the tracer knows. */
void account_snapshot(const struct accounts *accounts, unsigned int slot,
                      struct guest_snapshot *ret);
