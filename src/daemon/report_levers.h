/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* What is told of levers: which of them this host has, and which one holds a vCPU. */

#include "daemon/vcpu_snapshot.h"
#include "daemon/views.h"

struct cJSON;

/** Adds "levers": for each whether this host has it, and why not. */
void report_levers(const struct views *views, struct cJSON *root);

/** What status and doctor say of the standing levers of this host, as a sentence. */
void report_standing_levers(const struct views *views, char *text, size_t size);

/** Adds "lever", the strongest that holds the vCPU, and what it has of the standing ones. */
void report_lever_of(const struct views *views, const struct inventory_vcpu *vcpu,
                     const struct vcpu_snapshot *snapshot, struct cJSON *object);

/** Adds "lever_text": why it is that one, in sentences. */
void report_lever_explain(const struct views *views, const struct inventory_vcpu *vcpu,
                          const struct vcpu_snapshot *snapshot, struct cJSON *object);
