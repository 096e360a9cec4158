/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* bpf/budget.h, and boosted_charge() of the tracer: which buckets pay for what ran, and which
 * faults forget it. */

#include "host.h"

void charge_cpu(struct host *host, uint32_t cpu, uint64_t now, uint64_t charge, uint64_t ran,
                bool foreign);

void charge_boosted(struct host *host, uint32_t slot, uint32_t cpu, uint64_t until, uint64_t charge,
                    uint64_t ran);
