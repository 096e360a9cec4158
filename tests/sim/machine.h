/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * How fast a machine does what is nobody's work: switches, wake-ups, timers, and the booster's
 * steps. The figures of a measured machine are those of docs/measurements/overhead.md: a round trip
 * of 2.4 us between two threads, which is two switches and two wake-ups, and boost cycles of 8 us.
 */

#include "core/costs.h"

#include "world.h"

struct machine {
	struct world_costs world;
	uint64_t timer_start_ns, timer_fires_ns; /* of a deadline, on the CPU that does it */
	/* the booster: to wake up and to wait again; an event; a scheduler call; an entry of a list
	   that is walked */
	uint64_t wake_ns, step_ns, call_ns, entry_ns;
	uint64_t delay_ns; /* until it does something, at most */
	bool takes_cpus;   /* all that takes time of the simulated CPUs, too */
};

/** So many times as slow as the measured one. Times that are not given are too short to count. */
static inline struct machine machine_measured(uint64_t times)
{
	return (struct machine){
	        .world = {.switch_ns = 700 * times, .wake_ns = 500 * times, .loses_lag = true},
	        .timer_start_ns = 1400 * times,
	        .timer_fires_ns = 1000 * times,
	        .wake_ns = 2500 * times,
	        .step_ns = 500 * times,
	        .call_ns = 1000 * times,
	        .entry_ns = 10 * times,
	        .delay_ns = 5000 * times,
	        .takes_cpus = true,
	};
}

/** What the daemon would measure there: src/boost/measure.c. */
static inline struct pvs_costs machine_costs(const struct machine *machine)
{
	uint64_t wake_ns = machine->world.wake_ns + machine->world.switch_ns;

	return (struct pvs_costs){
	        .wake_ns = (uint32_t)wake_ns,
	        .call_ns = (uint32_t)machine->call_ns,
	        .timer_ns = (uint32_t)(machine->timer_fires_ns + wake_ns),
	};
}
