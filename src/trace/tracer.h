/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The host tracer: BPF programs that stamp the switches of registered vCPU threads and keep their
 * accounts (src/core/account.h). It only observes.
 *
 * Features are probed, never versions: what the kernel refuses is named, and the rest goes on.
 */

#include <sys/types.h>

#include "core/demand.h"
#include "core/window.h"
#include "trace/parts.h"
#include "util/base.h"

struct tracer;

/**
 * Loads and attaches the tracer, with the cap @cpu_rule for every host CPU. Optional parts that the
 * kernel refuses are left out: tracer_parts() says which.
 * @why  on failure: what is missing, for people; at least 512 bytes
 * Returns 0 and *ret; -errno: the kernel refuses what charging a boost needs.
 */
int tracer_new(struct tracer **ret, const struct pvs_bucket_rule *cpu_rule, char *why,
               size_t why_size);

/** Detaches and unloads. Takes NULL; returns NULL. */
struct tracer *tracer_free(struct tracer *tracer);

const struct tracer_sources *tracer_sources(const struct tracer *tracer);
const struct tracer_parts *tracer_parts(const struct tracer *tracer);

/**
 * Names the tracepoints of KVM that the loaded parts need and the kernel lacks, separated by
 * commas; "" if there are none.
 */
void tracer_missing(const struct tracer *tracer, char *text, size_t size);

/** The accounts: PVS_VCPUS_MAX, PVS_DOMAINS_MAX, PVS_CPUS_MAX and PVS_HELPERS_MAX of them, shared
 * with the programs. */
struct pvs_vcpu_account *tracer_vcpus(struct tracer *tracer);
struct pvs_domain_account *tracer_domains(struct tracer *tracer);
struct pvs_cpu_account *tracer_cpus(struct tracer *tracer);
struct pvs_helper_account *tracer_helpers(struct tracer *tracer);
struct pvs_bucket_rule *tracer_cpu_rule(struct tracer *tracer);
struct pvs_prices *tracer_prices(struct tracer *tracer);
struct pvs_moved *tracer_moved(struct tracer *tracer);

/** Counts the events that found the ring full; shared with the programs. */
const uint64_t *tracer_events_lost(const struct tracer *tracer);

/** Starts to trace thread @tid in @slot, whose account must be set up. Returns 0, or -errno. */
int tracer_register(struct tracer *tracer, unsigned int slot, pid_t tid);

/**
 * Attributes interrupts for @apic_id to @slot, if a thread of @process sends them, or a worker on
 * its behalf. Ends with the registration. Also attaches to KVM's tracepoints, if its module was
 * loaded after us. Returns 0, or -errno: then none is attributed.
 */
int tracer_set_address(struct tracer *tracer, unsigned int slot, pid_t process, uint32_t apic_id);

/**
 * Whether the vCPU in @slot wants to know which vCPU it waits for. While one does, KVM's
 * tracepoints for that are attached. Ends with the registration.
 */
void tracer_relate(struct tracer *tracer, unsigned int slot, bool wanted);

/**
 * Copies the epoch of the domain's leader into the account of the vCPU, if the thread is alive: see
 * PVS_EPOCH_OVER. Does nothing if the account has that epoch already, or if the leader has none.
 */
void tracer_join_epoch(struct tracer *tracer, unsigned int slot);

/**
 * What the levers of a thread are set to. Returns 0 and *ret; -EOPNOTSUPP: the part is not loaded;
 * -ESRCH; -errno.
 */
int tracer_read_levers(const struct tracer *tracer, pid_t tid, struct pvs_levers *ret);

/** The marks of a vCPU that is traced, for its windows. Returns 0 and *ret; -ENOENT; -errno. */
int tracer_read_windows(const struct tracer *tracer, unsigned int slot, struct pvs_windows *ret);

/** The sample of its wake-ups. Returns 0 and *ret; -ENOENT; -errno. */
int tracer_read_demand(const struct tracer *tracer, unsigned int slot, struct pvs_demand *ret);

/** Stops tracing it. A program that is running may write the account once more. */
void tracer_unregister(struct tracer *tracer, unsigned int slot, pid_t tid);

/**
 * Starts to trace a helper, one of the PVS_HELPERS_OF_DOMAIN of its domain, and resets its account.
 * When the helper ends, tracing it ends by itself. Returns 0, or -errno.
 */
int tracer_register_helper(struct tracer *tracer, unsigned int helper, pid_t tid);

/**
 * That helper is the leader of its domain's QEMU, that is, the thread whose TID is the process's
 * PID. Starts an epoch of the domain, which its vCPUs may join.
 */
void tracer_set_leader(struct tracer *tracer, unsigned int helper);

/** Stops tracing it. */
void tracer_unregister_helper(struct tracer *tracer, unsigned int helper);

/**
 * From now on a helper that is registered is traced in a slot of vCPUs as well: core/follow.h. The
 * slot's account says which helper that is. Returns 0, or -errno.
 */
int tracer_follow(struct tracer *tracer, unsigned int slot, unsigned int helper, pid_t tid);

/** Its slot is traced no longer. It stays a helper, if it is registered as one. */
void tracer_unfollow(struct tracer *tracer, unsigned int slot, unsigned int helper, pid_t tid);

/** Tells the tracer which thread is the ksoftirqd of @cpu. */
void tracer_set_softirqd(struct tracer *tracer, unsigned int cpu, pid_t tid);

/** Readable when there are events. */
int tracer_events_fd(const struct tracer *tracer);

typedef void tracer_event_fn(void *userdata, const struct pvs_event *event);

enum {
	TRACER_MORE = 1,
};

/**
 * Calls @fn for each event that is there, up to a bound: events that come faster than they are
 * handled must not keep the caller for ever. Allocates nothing.
 * Returns 0; TRACER_MORE: there may be more, and the descriptor need not tell again.
 */
int tracer_drain(struct tracer *tracer, tracer_event_fn *fn, void *userdata);

/** The ring of overdue boosts, which the daemon did not end: for the guardian, by poll(). */
int tracer_overdue_fd(const struct tracer *tracer);

/** Empties that ring: a new guardian must not see what the last one has acted on. */
void tracer_forget_overdue(struct tracer *tracer);

struct tracer_totals {
	uint64_t events_lost;
	struct pvs_interrupt_counts interrupts; /* of all CPUs together */
	uint64_t deadlines_started;             /* of all CPUs together */
	uint64_t deadlines_refused;             /* deadlines that could not be started */
	int deadline_error;                     /* the last cause of that, < 0; 0: none */
};

void tracer_totals(const struct tracer *tracer, struct tracer_totals *ret);
