/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The host tracer, loaded: BPF programs that stamp the switches of registered vCPU threads and keep
 * their accounts (src/core/account.h). Observes only.
 *
 * Features are probed, never versions: what the kernel refuses is named, and the rest goes on.
 */

#include <sys/types.h>

#include "core/account.h"
#include "trace/parts.h"
#include "util/base.h"

struct tracer;

/** What could be attached beyond the scheduler's tracepoints, which are a must. */
struct tracer_sources {
	bool inj_virq;         /* kvm_inj_virq: interrupts injected by KVM itself */
	bool apicv_accept_irq; /* kvm_apicv_accept_irq: those the hardware injects */
	bool apic_accept_irq;  /* kvm_apic_accept_irq: deliveries, in the context of the sender */
	bool handlers;         /* interrupt handlers are told from whom they interrupt */
	bool ple_window;       /* kvm_ple_window_update: guests that spin, by PAUSE exits */
	bool hypercall;        /* kvm_hypercall: guests that yield to another vCPU */
};

/**
 * Loads and attaches it, with a cap of @cpu_rule for every host CPU. Optional parts that the kernel
 * refuses are left out: tracer_parts() says which.
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
 * Names the tracepoints of KVM that its parts would have and the kernel does not, separated by
 * commas; "" when all are there.
 */
void tracer_missing(const struct tracer *tracer, char *text, size_t size);

/** The accounts: PVS_VCPUS_MAX, PVS_DOMAINS_MAX, PVS_CPUS_MAX and PVS_HELPERS_MAX of them, shared
 * with the programs. */
struct pvs_vcpu_account *tracer_vcpus(struct tracer *tracer);
struct pvs_domain_account *tracer_domains(struct tracer *tracer);
struct pvs_cpu_account *tracer_cpus(struct tracer *tracer);
struct pvs_helper_account *tracer_helpers(struct tracer *tracer);
struct pvs_bucket_rule *tracer_cpu_rule(struct tracer *tracer);

/** Begins to trace thread @tid in @slot, whose account is set up. Returns 0, or -errno. */
int tracer_register(struct tracer *tracer, unsigned int slot, pid_t tid);

/**
 * Tells it who interrupts of that APIC id are for, when they are sent by somebody of that process
 * or on its behalf. Ends with the registration. Also attaches to KVM's tracepoints, if its module
 * has been loaded only after us. Returns 0, or -errno: none is attributed then.
 */
int tracer_set_address(struct tracer *tracer, unsigned int slot, pid_t process, uint32_t apic_id);

/**
 * Copies the epoch of the domain's leader into the account of the vCPU, if the thread is alive: see
 * PVS_EPOCH_OVER. Does nothing if the account has that epoch already, or if the leader has none.
 */
void tracer_join_epoch(struct tracer *tracer, unsigned int slot);

/** Ends it. A program that is running may write the account once more. */
void tracer_unregister(struct tracer *tracer, unsigned int slot, pid_t tid);

/**
 * The same for a thread that works for a domain, as one of its PVS_HELPERS_OF_DOMAIN; its account
 * begins anew. One that ends is not traced any more by itself.
 */
int tracer_register_helper(struct tracer *tracer, unsigned int helper, pid_t tid);

/**
 * That helper is the leader of its domain's QEMU, that is, the thread whose TID is the process's
 * PID. Starts an epoch of the domain, which its vCPUs may join.
 */
void tracer_set_leader(struct tracer *tracer, unsigned int helper);

/** Ends it. */
void tracer_unregister_helper(struct tracer *tracer, unsigned int helper);

/** Tells it which thread is the ksoftirqd of @cpu. */
void tracer_set_softirqd(struct tracer *tracer, unsigned int cpu, pid_t tid);

/** Readable when there are events. */
int tracer_events_fd(const struct tracer *tracer);

typedef void tracer_event_fn(void *userdata, const struct pvs_event *event);

enum {
	TRACER_MORE = 1,
};

/**
 * Calls @fn for each event that is there, up to a bound: who sends them faster than they are
 * handled must not keep the caller for ever. Allocates nothing.
 * Returns 0; TRACER_MORE: there may be more, of which the descriptor need not tell again.
 */
int tracer_drain(struct tracer *tracer, tracer_event_fn *fn, void *userdata);

/** The ring that says that the daemon does not answer: readable by poll(), for the guardian. */
int tracer_overdue_fd(const struct tracer *tracer);

/** Empties that ring: what was said to one guardian, which acted on it, is not said to the next. */
void tracer_forget_overdue(struct tracer *tracer);

struct tracer_totals {
	uint64_t events_lost;
	struct pvs_interrupt_counts interrupts; /* of all CPUs together */
	uint64_t deadlines_refused;             /* deadlines that could not be started */
	int deadline_error;                     /* the last cause of that, < 0; 0 */
};

void tracer_totals(const struct tracer *tracer, struct tracer_totals *ret);
