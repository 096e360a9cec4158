/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* What ran while vCPUs waited, as far as their waits are traced. */

#include "daemon/views.h"

struct cJSON;

/** Of a lease of clients: see latency_leases_renew(). */
struct latency_trace {
	int error; /* 0: it is traced */
	uint64_t since_ns;
};

/**
 * Adds "blockers" (those that took most of the waits, and what the others took together) and
 * "long_waits" (the last wait of each kind, and what ran meanwhile).
 * @vcpu  index; -1: of all
 */
void report_blockers(const struct views *views, const struct inventory_domain *domain, int vcpu,
                     const struct latency_trace *trace, struct cJSON *object);
