/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* What a trial reads of its domain and its neighbours, and what happened between two such samples.
 */

#include "boost/accounts.h"
#include "daemon/inventory.h"
#include "daemon/trial_probe.h"
#include "policy/trial_verdict.h"
#include "util/base.h"

/** Sums over vCPUs; they only grow as long as these are the same ones. */
struct trial_sample {
	uint64_t taken_ns;
	uint64_t own, others; /* which vCPUs they are: another number if others are traced */
	uint32_t own_vcpus, others_vcpus;
	uint32_t cpus; /* on which the domain may run at a time */
	uint64_t waits[PVS_WAIT_BUCKETS];
	uint64_t run_ns, boosted_ns;
	uint64_t boosts, denied, preemptions;
	uint64_t others_run_ns, others_wait_ns;
	uint64_t daemon_ns; /* CPU time of pvschedd */
	struct trial_probe_sums probe;
};

/** What is known now. @probe NULL: no thread probes. */
void trial_sample_take(const struct inventory *inventory, const struct accounts *accounts,
                       const struct inventory_domain *domain, const struct trial_probe *probe,
                       uint64_t now_ns, struct trial_sample *ret);

/**
 * What happened between two samples. Returns false if that cannot be told: vCPUs of the domain came
 * or went, none is traced, or a counter went back. If others came or went, what they lost is not
 * measured.
 */
bool trial_sample_window(const struct trial_sample *begin, const struct trial_sample *end, bool on,
                         struct trial_window *ret);
