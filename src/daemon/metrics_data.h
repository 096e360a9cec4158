/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* What metrics are made of: plain data, read once, before anything is written. */

#include "boost/booster_view.h"
#include "core/costs.h"
#include "daemon/tally.h"
#include "util/base.h"

/** A domain in a label: at most 64 bytes of its name, and where that is not enough its uuid. */
#define METRICS_NAME_MAX  64
#define METRICS_LABEL_MAX (METRICS_NAME_MAX + sizeof(" (01234567-89ab-cdef-0123-456789abcdef)"))

struct metrics_domain {
	char label[METRICS_LABEL_MAX]; /* no other domain has it: metrics_name_domains() */
	const char *name, *uuid, *profile;
	unsigned int vcpus;
	const struct tally_counts *counts;
};

struct metrics_vcpu {
	size_t domain; /* index in metrics_data::domains */
	unsigned int index;
	uint64_t boosts, interrupt_boosts, pulses; /* the latter are among the former */
	uint64_t helps, no_pulse; /* it waited for another one; that one could not be boosted */
	uint64_t boosted_ns, run_ns, wait_ns;
};

struct metrics_cpu {
	unsigned int cpu;
	uint64_t rt_ns, foreign_ns;
	uint64_t sheet_used_ns; /* of the last second */
};

struct metrics_source {
	const char *name;
	bool ok;
};

#define METRICS_SOURCES_MAX 8

struct metrics_data {
	const char *version;
	uint64_t started_us, taken_us; /* since 1970 */
	bool enabled;
	bool breaker_open;
	unsigned int guardian_acts, unclean_ends; /* that the breaker counts now */
	size_t n_sources;
	struct metrics_source sources[METRICS_SOURCES_MAX];
	uint64_t events_received, events_lost, notes_lost, hints_lost;
	uint64_t deadlines_missed, deadlines_refused, booster_wakeups;
	unsigned int boosted; /* vCPUs that are boosted now */
	unsigned int slots_used, slots_without;
	unsigned int agents, agents_served; /* connected; of these, heeded */
	uint64_t agent_hellos, agents_turned_away;
	uint32_t sheet_permille;
	struct pvs_costs costs;
	struct pvs_prices prices;
	struct booster_delays request_to_applied;
	size_t n_domains, n_vcpus, n_cpus;
	struct metrics_domain *domains;
	struct metrics_vcpu *vcpus; /* of one domain after the other */
	struct metrics_cpu *cpus;
};
