/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Leases of clients that ask what ran while vCPUs waited. The tracer looks at each switch of the
 * host while there is one, so a lease is short, each request of a client renews it, and it ends by
 * itself when the client is gone. Clients that ask for the same domain share its lease. A timer
 * runs only while there is one.
 */

#include <systemd/sd-event.h>

#include "daemon/inventory.h"
#include "trace/blockers.h"
#include "util/base.h"

#define LATENCY_LEASE_NS   (3 * NSEC_PER_SEC)
#define LATENCY_LEASES_MAX 16 /* domains */

struct latency_leases;

/** @tracer NULL: there is none. Both must stay. Returns 0 and *ret, or -errno. */
int latency_leases_new(struct latency_leases **ret, sd_event *event, struct tracer *tracer,
                       uint64_t lease_ns);

/** Ends all of them. Takes NULL; returns NULL. */
struct latency_leases *latency_leases_free(struct latency_leases *leases);

/**
 * Begins or renews the lease of @domain: the waits of its vCPUs that are traced now are looked at
 * for so long from now on.
 * Returns 0 and *since_ns, when the lease began; -EOPNOTSUPP: there is no tracer, or it lacks the
 * part; -EUSERS: LATENCY_LEASES_MAX other domains have one; -E2BIG: the domain has too many vCPUs,
 * with those that others ask for; -errno. On an error some of its vCPUs may be looked at all the
 * same, until the lease ends.
 */
int latency_leases_renew(struct latency_leases *leases, const struct inventory_domain *domain,
                         uint64_t *since_ns);
