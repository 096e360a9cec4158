// SPDX-License-Identifier: GPL-2.0-or-later
#include "boost/affinity.h"

#include "boost/sched.h"

int affinity_set_home(struct affinity *affinity, const struct cpu_set_bits *cpus, bool anywhere,
                      struct cpu_set_bits *missing)
{
	int r = anywhere ? sched_go_home(cpus) : sched_set_cpus(0, cpus, missing);

	if (r != 0)
		return r;
	affinity->home = *cpus;
	affinity->is_configured = !anywhere;
	affinity->is_away = false;
	return 0;
}

/* Other programs may change the thread's affinity, and CPUs come and go. */
static void find_home(struct affinity *affinity)
{
	struct cpu_set_bits cpus;

	if (affinity->is_configured || affinity->is_away || sched_get_cpus(0, &cpus) < 0 ||
	    cpu_set_bits_equal(&cpus, &affinity->seen))
		return;
	affinity->seen = cpus;
	sched_get_home(&cpus, &affinity->home);
}

bool affinity_may_visit(struct affinity *affinity, unsigned int cpu)
{
	find_home(affinity);
	return cpu_set_bits_has(&affinity->home, cpu);
}

void affinity_visit(struct affinity *affinity, unsigned int cpu)
{
	affinity->is_away |= sched_visit_cpu(cpu, &affinity->home) == SCHED_AWAY;
}

void affinity_return(struct affinity *affinity)
{
	if (affinity->is_away)
		affinity->is_away = sched_go_home(&affinity->home) < 0;
}
