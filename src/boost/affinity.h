/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Where the booster thread may run: its home, and visits to a single CPU. For that thread alone,
 * since each function changes, or reads, the affinity of the calling thread.
 */

#include "util/base.h"
#include "util/cpulist.h"

/** All zero: the home is found from the thread's affinity when it is needed. */
struct affinity {
	struct cpu_set_bits home; /* where the thread may run outside of visits */
	struct cpu_set_bits seen; /* the affinity of the thread that home was found from */
	bool is_configured;       /* home is host.booster_cpus */
	bool is_away;             /* the thread could not return from a visit */
};

/**
 * Sets the home. With @anywhere, CPUs of @cpus may be offline; else all of them are needed.
 * Returns 0; SCHED_CPUS_MISSING and those in *missing; -errno: in both cases nothing has changed.
 */
int affinity_set_home(struct affinity *affinity, const struct cpu_set_bits *cpus, bool anywhere,
                      struct cpu_set_bits *missing);

/** Does the home include @cpu? */
bool affinity_may_visit(struct affinity *affinity, unsigned int cpu);

/** Runs on @cpu for a moment, see sched_visit_cpu(). */
void affinity_visit(struct affinity *affinity, unsigned int cpu);

/** Tries again to return from a visit, if that has failed. */
void affinity_return(struct affinity *affinity);
