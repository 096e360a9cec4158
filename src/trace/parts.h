/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The parts of the tracer that a kernel may refuse one by one (PVS_PART_*). A part is probed by
 * loading it: a kernel that lacks one field or one helper costs that part, and nothing else.
 *
 * Only the code that charges a boost and ends it is mandatory: without that, nothing is loaded.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/account.h"

/** Tracepoints attached besides the scheduler's, which are mandatory. */
struct tracer_sources {
	bool inj_virq;         /* kvm_inj_virq: interrupts injected by KVM itself */
	bool apicv_accept_irq; /* kvm_apicv_accept_irq: interrupts injected by the hardware */
	bool apic_accept_irq;  /* kvm_apic_accept_irq: deliveries, in the context of the sender */
	bool handlers;         /* interrupt handlers are told apart from the task they interrupt */
	bool ple_window;       /* kvm_ple_window_update: guests that spin, by PAUSE exits */
	bool hypercall;        /* kvm_hypercall: guests that yield to another vCPU */
	bool relations;        /* the next two are wanted: tracer_relate() */
	bool apic_ipi;         /* kvm_apic_ipi: interrupts that vCPUs send */
	bool eoi;              /* kvm_eoi: and when these are served */
};

/** Why a part was left out: the line of the verifier or of libbpf that names the cause. */
#define TRACER_CAUSE_MAX 256

/** The result for each part. The cause is "" for a part in @loaded. */
struct tracer_parts {
	uint32_t loaded; /* PVS_PART_* */
	char cause[PVS_PARTS][TRACER_CAUSE_MAX];
};

/** Name of the part with that bit number, for people and for JSON: "helpers". */
const char *tracer_part_name(unsigned int part);

/** The loss without the part: half a sentence. */
const char *tracer_part_loss(unsigned int part);

/**
 * Loads a tracer with these parts, and keeps it in place of the previous one.
 * Returns 0; -errno with the reason in @cause: the previous one stays.
 */
typedef int tracer_parts_load_fn(void *userdata, uint32_t parts, char cause[TRACER_CAUSE_MAX]);

/**
 * Finds the parts that load here by calls of @load: one call if all do. The last call that returned
 * 0 was for the parts in ret->loaded.
 * Returns 0; -errno with the reason in @cause: not even a tracer without parts loads.
 */
int tracer_parts_choose(struct tracer_parts *ret, tracer_parts_load_fn *load, void *userdata,
                        char cause[TRACER_CAUSE_MAX]);

/**
 * Keeps libbpf's complaint in @cause, which begins as "". @text is one message of its log, with or
 * without the verifier's log. Of several messages the first that names a cause stays.
 */
void tracer_cause_note(char cause[TRACER_CAUSE_MAX], const char *text);
