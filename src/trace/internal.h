/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Shared by the files of the tracer, and private to them. */

#include <bpf/libbpf.h>

#include "trace/parts.h"
#include "tracer.skel.h"

#define LISTED_BITS  65536
#define PROCESS_BITS 4096

/* As in bpf/inject.h. */
struct vcpu_address {
	uint32_t process;
	uint32_t apic_id;
};

/* Programs whose tracepoints exist only while the module is loaded. */
enum kvm_program {
	KVM_INJ_VIRQ,
	KVM_APICV_ACCEPT_IRQ,
	KVM_APIC_ACCEPT_IRQ,
	KVM_PLE_WINDOW,
	KVM_HYPERCALL,
	KVM_APIC_IPI, /* from here on: only while relations are wanted */
	KVM_EOI,
	KVM_PV_EOI,
	KVM_AVIC_IPI,
	_KVM_PROGRAMS,
};

struct tracer {
	struct tracer_bpf *(*open)(void); /* makes a new object for each probe */
	struct tracer_bpf *bpf;
	struct tracer_parts parts;
	int64_t preempt_count_from_rq;
	struct ring_buffer *ring;
	struct ring_buffer *overdue; /* only to empty it */
	struct bpf_link *kvm[_KVM_PROGRAMS];
	struct tracer_sources sources;
	struct pvs_vcpu_account *vcpus;
	struct pvs_domain_account *domains;
	struct pvs_cpu_account *cpus;
	struct pvs_helper_account *helpers;
	uint16_t *listed_users;               /* how many TIDs share a bit of `listed` */
	struct vcpu_address *addresses;       /* by slot; process 0: none */
	uint16_t process_users[PROCESS_BITS]; /* how many vCPUs share a bit of `processes` */
	uint32_t last_epoch;                  /* see PVS_EPOCH_OVER */
	uint8_t relates[PVS_VCPUS_MAX / 8];   /* by slot: relations are wanted of it */
	unsigned int n_relates;
	void (*fn)(void *userdata, const struct pvs_event *event); /* during tracer_drain() */
	void *userdata;
	unsigned int drained; /* events in this tracer_drain() */
};

/* tracer.c */

/** As tracer_new(), with another object: tests have some that a kernel must refuse in part. */
int tracer_new_from(struct tracer **ret, struct tracer_bpf *(*open)(void),
                    const struct pvs_bucket_rule *cpu_rule, char *why, size_t why_size);

/** Attaches to KVM tracepoints not attached yet. A missing one is no error: status tells. */
void tracer_attach_kvm(struct tracer *tracer);

/* registry.c */

/** Makes the timer of each CPU. Returns 0; -ENOMEM; -errno. */
int tracer_make_deadlines(struct tracer *tracer);
