/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* What is told of interrupts and of guests that spin: JSON, and the sentences about them. */

#include "core/account.h"
#include "policy/policy.h"
#include "trace/tracer.h"

struct cJSON;

/** Adds "help": how often it waited for another vCPU, and what was done about that. */
void report_help(const struct policy_view *view, struct cJSON *object);

/** Adds what is known of a vCPU's interrupts and of its guest's spinning. */
void report_interrupts(const struct pvs_vcpu_account *account, const struct policy_view *view,
                       struct cJSON *object);

/** Adds what the policy made of them, and of a CPU whose bucket was empty. */
void report_signs(const struct policy_view *view, struct cJSON *object);

/** Adds the counts of the whole host. */
void report_interrupt_counts(const struct pvs_interrupt_counts *counts, struct cJSON *object);

/** How much of all interrupts it can see, as a sentence. */
void report_interrupts_seen(const struct tracer *tracer, const struct pvs_interrupt_counts *counts,
                            char *text, size_t size);
