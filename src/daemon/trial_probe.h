/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What ordinary threads of the host wait: one thread of the fair class on each CPU sleeps for
 * TRIAL_PROBE_NS at a time and notes how much later it ran. The threads exist only while a trial
 * runs.
 */

#include "core/account.h"
#include "util/base.h"

#define TRIAL_PROBE_NS       (4 * NSEC_PER_MSEC)
#define TRIAL_PROBE_CPUS_MAX 128 /* the first ones */

struct trial_probe;

/** All threads together, since they began. */
struct trial_probe_sums {
	uint64_t n; /* sleeps */
	uint64_t late_ns;
};

/**
 * Begins a thread on each CPU that this process may use; one that the kernel refuses is left out.
 * Returns 0 and *ret, or -errno: there is none.
 */
int trial_probe_new(struct trial_probe **ret);

/**
 * Ends them, each at the end of its sleep. They are not waited for: on a CPU that a real-time
 * thread keeps, one does not run. Takes NULL; returns NULL.
 */
struct trial_probe *trial_probe_free(struct trial_probe *probe);

struct trial_probe_sums trial_probe_read(const struct trial_probe *probe);

/** How many threads there are. */
unsigned int trial_probe_count(const struct trial_probe *probe);
