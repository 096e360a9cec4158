/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim.h"

#include <stdlib.h>

#include "follow.h"
#include "judge.h"
#include "rng.h"

static void handle(struct host *host, struct world *world, const struct entry *entry)
{
	switch (entry->what) {
	case HAPPENS_CPU:
	case HAPPENS_WAKE:
	case HAPPENS_URGENT:
	case HAPPENS_INTERRUPT:
	case HAPPENS_SPIN:
	case HAPPENS_WAIT:
		world_handle(world, entry);
		return;
	case HAPPENS_DEADLINE:
	case HAPPENS_START:
	case HAPPENS_HELPER:
	case HAPPENS_BOOSTER:
	case HAPPENS_LOOK:
		host_handle(host, entry);
		return;
	case HAPPENS_COMMAND:
		host_hold(host, entry->number, entry->generation != 0);
		/* paused for up to 10 ms, then left alone for up to 30 */
		world_plan(world,
		           world->now_ns + NSEC_PER_MSEC +
		                   rng_below(&world->random,
		                             (entry->generation ? 10 : 30) * NSEC_PER_MSEC),
		           HAPPENS_COMMAND, entry->number, !entry->generation);
		return;
	}
}

static void play(struct host *host, struct world *world, uint64_t until_ns)
{
	struct entry entry;

	while (!host->broken && world_next(world, until_ns, &entry))
		handle(host, world, &entry);
	world->now_ns = until_ns;
}

/* For the judges. */

static void on_ran(void *userdata, const struct run_interval *run)
{
	struct record *record = userdata;

	if (record->n_runs == record->capacity) {
		record->capacity = record->capacity ? 2 * record->capacity : 4096;
		record->runs = realloc(record->runs, record->capacity * sizeof(*record->runs));
		if (!record->runs)
			abort();
	}
	record->runs[record->n_runs++] = *run;
	meters_ran(record->meters, run);
}

static void on_boosted(void *userdata, uint64_t at_ns, uint32_t cpu, const struct thread *thread,
                       bool begins)
{
	struct record *record = userdata;

	meters_boosted(record->meters, at_ns, cpu, thread->vcpu, thread->domain, begins);
}

static uint32_t cpu_permille(const struct scenario *scenario)
{
	return scenario->cpu_share_permille ?: SIM_CPU_SHARE_PERMILLE;
}

static void record_start(struct record *record, const struct scenario *scenario,
                         struct world *world, unsigned int n_vcpus)
{
	struct meter_sizes sizes = {
	        .cpus = world->n_cpus,
	        .threads = world->n_threads,
	        .vcpus = n_vcpus,
	        .domains = n_vcpus, /* at most */
	        .cpu_permille = cpu_permille(scenario),
	        .vcpu_permille = SIM_SHARE_PERMILLE,
	        .domain_permille = scenario_domain_permille(scenario),
	};

	*record = (struct record){.meters = meters_new(&sizes)};
	if (!record->meters)
		abort();
	world->recorder = (struct world_recorder){on_ran, on_boosted, record};
}

static void record_end(struct record *record)
{
	free(record->runs);
	meters_free(record->meters);
}

/* The same guests: left alone, boosted, and boosted by a host that hears neither them nor what
 * interrupts them, and whose helpers do not follow. */
enum variant { UNTOUCHED, BOOSTED, UNHEARD };

static uint64_t spun_ns(const struct world *world, unsigned int n_vcpus)
{
	uint64_t ns = 0;

	for (uint32_t i = n_vcpus; i < world->n_threads; i++)
		if (world->threads[i].priority == 0)
			ns += world->threads[i].ran_ns;
	return ns;
}

/* Where vCPUs help each other, nothing else boosts them. */
static uint32_t policy_of(const struct scenario *scenario, const struct sim_options *options)
{
	if (options->policy == REGISTRY_NONE && scenario->help)
		return REGISTRY_NUMBER_AWAITED_ONLY;
	return options->policy;
}

static void host_options_fill(const struct scenario *scenario, const struct sim_options *options,
                              enum variant variant, struct host_options *ret)
{
	*ret = (struct host_options){
	        .profile = {"sim", variant == UNTOUCHED ? PROFILE_OBSERVE : PROFILE_BOOST,
	                    SIM_SHARE_PERMILLE, SIM_BURST_NS,
	                    variant == UNHEARD ? PROFILE_REQUESTS_IGNORE : PROFILE_REQUESTS_HEED,
	                    variant != UNHEARD, .policy = policy_of(scenario, options),
	                    .help = variant == BOOSTED ? scenario->help : 0},
	        .caps = {.cpu_share_permille = cpu_permille(scenario),
	                 .cpu_burst_ns = SIM_CPU_BURST_NS,
	                 .domain_share_permille = scenario_domain_permille(scenario),
	                 .domain_burst_ns = SIM_DOMAIN_BURST_NS,
	                 .max_changes_per_s = 500,
	                 .booster_permille =
	                         scenario->booster_permille ?: options->booster_permille},
	        .delay_ns = options->delay_ns,
	        .apply_ns = HOST_APPLY_NS,
	        .polls = scenario->polls,
	        .follows = variant == BOOSTED,
	        .start_late_ns = options->start_late_ns,
	        .refused_permille = options->refused_permille,
	        .mutation = options->mutation,
	        .prices = options->prices,
	        .seed = options->seed ^ 0x5eed,
	};
}

/* Plays it; returns what the spinners had. */
static uint64_t run_once(const struct scenario *scenario, const struct sim_options *options,
                         enum variant variant, struct sim_result *ret)
{
	struct host_options how;
	struct record record;
	struct world world;
	struct host *host;
	unsigned int n_vcpus;
	uint64_t spun, end_ns;

	world_init(&world, options->cpus ? options->cpus : scenario->n_cpus, options->seed);
	world.print = options->print && variant == BOOSTED;
	n_vcpus = scenario_populate(scenario, &world, options->vcpus);
	if (scenario->follows)
		world.costs.protects_ns = WORLD_SLICE_NS;
	record_start(&record, scenario, &world, n_vcpus);
	host_options_fill(scenario, options, variant, &how);
	host = host_new(&world, n_vcpus, &how);
	end_ns = world.now_ns + options->lasts_ns;
	world_start(&world);
	for (uint32_t i = 0; scenario->holds && i < n_vcpus; i++)
		world_plan(&world, world.now_ns + NSEC_PER_MSEC, HAPPENS_COMMAND, i, 1);
	play(host, &world, end_ns - SIM_SETTLE_NS);
	host_close(host);
	play(host, &world, end_ns);
	world_end(&world);
	spun = spun_ns(&world, n_vcpus);
	if (variant == UNTOUCHED) {
		ret->base_wait_ns = checker_longest_wait_ns(record.runs, record.n_runs);
	} else if (variant == UNHEARD) {
		judge_urgent(&world, &record, &ret->unheard);
		follow_count(host, &ret->unheard);
		ret->unheard.lasts_ns = options->lasts_ns;
	} else {
		ret->hash = world.hash;
		ret->booster_permille = (uint32_t)(host->busy_ns * 1000 / options->lasts_ns);
		ret->calls_per_s = host->calls * NSEC_PER_SEC / options->lasts_ns;
		judge(scenario, options, host, &world, &record, ret);
		judge_urgent(&world, &record, &ret->heard);
		follow_count(host, &ret->heard);
		ret->heard.lasts_ns = options->lasts_ns;
	}
	host_free(host);
	record_end(&record);
	world_fini(&world);
	return spun;
}

void sim_run(const struct scenario *scenario, const struct sim_options *options,
             struct sim_result *ret)
{
	struct sim_options long_enough = *options;
	uint64_t with_ns, without_ns;

	long_enough.lasts_ns = MAX(options->lasts_ns, scenario->lasts_ns);
	*ret = (struct sim_result){.delay_ns = options->delay_ns};
	without_ns = run_once(scenario, &long_enough, UNTOUCHED, ret);
	with_ns = run_once(scenario, &long_enough, BOOSTED, ret);
	if (scenario->gain || scenario->follows)
		run_once(scenario, &long_enough, UNHEARD, ret);
	ret->host_loss_permille = without_ns ? (int)(((int64_t)without_ns - (int64_t)with_ns) *
	                                             1000 / (int64_t)without_ns)
	                                     : 0;
}
