/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "large.h"

#include <stdlib.h>

#include "judge.h"

static void on_ran(void *userdata, const struct run_interval *run)
{
	struct large *large = userdata;

	meters_ran(large->meters, run);
}

static void on_waited(void *userdata, const struct thread *thread, uint64_t wait_ns)
{
	struct large *large = userdata;

	if (thread->vcpu >= 0 && !thread->observed && large->world.now_ns >= large->warm_ns)
		delays_add(&large->waits, wait_ns);
}

static void on_boosted(void *userdata, uint64_t at_ns, uint32_t cpu, const struct thread *thread,
                       bool begins)
{
	struct large *large = userdata;

	meters_boosted(large->meters, at_ns, cpu, thread->vcpu, thread->domain, begins);
}

void large_init(struct large *large, uint32_t n_cpus, uint64_t seed)
{
	*large = (struct large){0};
	world_init(&large->world, n_cpus, seed);
}

void large_fini(struct large *large)
{
	host_free(large->host);
	meters_free(large->meters);
	world_fini(&large->world);
}

void large_start(struct large *large, uint32_t n_vcpus, uint32_t domains,
                 const struct host_options *options, uint64_t warm_ns)
{
	struct meter_sizes sizes = {
	        .cpus = large->world.n_cpus,
	        .threads = large->world.n_threads,
	        .vcpus = n_vcpus,
	        .domains = domains,
	        .cpu_permille = options->caps.cpu_share_permille,
	        .vcpu_permille = options->profile.share_permille,
	        .domain_permille = options->caps.domain_share_permille,
	};

	large->meters = meters_new(&sizes);
	if (!large->meters)
		abort();
	large->world.recorder = (struct world_recorder){on_ran, on_boosted, large, on_waited};
	large->warm_ns = large->world.now_ns + warm_ns;
	large->host = host_new(&large->world, n_vcpus, options);
	world_start(&large->world);
}

void large_play(struct large *large, uint64_t for_ns)
{
	uint64_t until_ns = large->world.now_ns + for_ns;
	struct entry entry;

	while (!large->host->broken && world_next(&large->world, until_ns, &entry)) {
		large->events++;
		if (entry.what == HAPPENS_DEADLINE || entry.what == HAPPENS_START ||
		    entry.what == HAPPENS_BOOSTER || entry.what == HAPPENS_LOOK)
			host_handle(large->host, &entry);
		else
			world_handle(&large->world, &entry);
	}
	large->world.now_ns = until_ns;
}

void large_end(struct large *large)
{
	host_close(large->host);
	large_play(large, SIM_SETTLE_NS);
	world_end(&large->world);
}
