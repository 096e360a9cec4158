/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "crowd.h"

#include <stdio.h>
#include <stdlib.h>

#include "large.h"
#include "scale.h"

#define US NSEC_PER_USEC

static const struct behaviour spinner = {"spinner", {{.run_ns = NSEC_NEVER}}, 0};

static struct behaviour periodic(const char *name, uint64_t run_us, uint64_t period_us)
{
	return (struct behaviour){
	        name,
	        {{.run_ns = run_us * US, .sleep_ns = period_us * US, .periodic = true}},
	        .starts_ns = period_us * US};
}

static void populate(struct world *world, uint32_t ease)
{
	static struct behaviour quiet, bursty; /* threads point at them */
	struct thread thread = {.only_cpu = -1};

	quiet = periodic("quiet", CROWD_QUIET_RUN_US, CROWD_QUIET_PERIOD_US * (uint64_t)ease);
	bursty = periodic("bursty", CROWD_BURSTY_RUN_US, CROWD_BURSTY_PERIOD_US * (uint64_t)ease);

	for (int i = 0; i < CROWD_THREADS; i++) {
		thread.behaviour = i % CROWD_BURSTY_EVERY ? &quiet : &bursty;
		thread.vcpu = i;
		thread.domain = i / CROWD_PER_DOMAIN;
		world_add(world, &thread);
	}
	thread = (struct thread){.behaviour = &spinner, .vcpu = -1, .domain = -1};
	for (uint32_t i = 0; i < world->n_cpus; i++) {
		thread.only_cpu = (int)i;
		world_add(world, &thread);
	}
}

struct counts {
	uint64_t wakeups, boosts, used_ns, calls, steps, booster_wakeups, booster_ns, denied;
};

static void take(const struct large *large, struct counts *ret)
{
	const struct host *host = large->host;

	*ret = (struct counts){.calls = host->calls,
	                       .steps = host->steps,
	                       .booster_wakeups = host->wakeups,
	                       .booster_ns = host->busy_ns};
	for (unsigned int i = 0; i < CROWD_THREADS; i++) {
		ret->wakeups += host->vcpus[i].wakeups;
		ret->used_ns += host->vcpus[i].used_ns;
		ret->boosts += policy_view(host->policy, i)->boosts_total;
		ret->denied += policy_view(host->policy, i)->denied_total[POLICY_REASON_ATTENTION];
	}
}

int crowd_run(const struct sim_options *options, uint32_t ease)
{
	struct profile latency = PROFILE_LATENCY_INIT;
	struct host_options how = {
	        .profile = latency,
	        .caps = HOST_CAPS_INIT,
	        .delay_ns = LARGE_DELAY_NS,
	        .apply_ns = LARGE_APPLY_NS,
	        .charges_cpus = true,
	        .seed = options->seed ^ 0x5eed,
	};
	double seconds = (double)options->lasts_ns / NSEC_PER_SEC;
	struct large *large = malloc(sizeof(*large));
	struct counts from, to;
	uint32_t cpus = options->cpus ? options->cpus : 2;

	if (!large)
		abort();
	how.caps.booster_permille = options->booster_permille;
	large_init(large, cpus, options->seed);
	populate(&large->world, ease);
	large_start(large, CROWD_THREADS, CROWD_THREADS / CROWD_PER_DOMAIN, &how,
	            CROWD_WARM_MS * NSEC_PER_MSEC);
	large_play(large, CROWD_WARM_MS * NSEC_PER_MSEC);
	take(large, &from);
	large_play(large, options->lasts_ns);
	take(large, &to);
	large_end(large);
	printf("{\"threads\":%d,\"cpus\":%u,\"seconds\":%.3f,\"wakeups_per_s\":%.1f,",
	       CROWD_THREADS, cpus, seconds, (double)(to.wakeups - from.wakeups) / seconds);
	printf("\"boosted_permille\":%.2f,\"boosts_per_s\":%.2f,\"calls_per_1000\":%.2f,",
	       1000.0 * (double)(to.used_ns - from.used_ns) / (double)options->lasts_ns / cpus,
	       (double)(to.boosts - from.boosts) / seconds,
	       1000.0 * (double)(to.calls - from.calls) / (double)(to.wakeups - from.wakeups));
	printf("\"booster_permille\":%.2f,\"denied_attention_per_s\":%.1f,",
	       1000.0 * (double)(to.booster_ns - from.booster_ns) / (double)options->lasts_ns,
	       (double)(to.denied - from.denied) / seconds);
	printf("\"booster_wakeups_per_s\":%.1f,\"avg_us\":%.2f,\"p50_us\":%.2f,\"p99_us\":%.2f}\n",
	       (double)(to.booster_wakeups - from.booster_wakeups) / seconds,
	       large->waits.n ? (double)large->waits.sum_ns / (double)large->waits.n / US : 0,
	       (double)delays_quantile_ns(&large->waits, 500) / US,
	       (double)delays_quantile_ns(&large->waits, 990) / US);
	large_fini(large);
	free(large);
	return 0;
}
