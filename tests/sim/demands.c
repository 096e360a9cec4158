/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "demands.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "large.h"
#include "policy/recommend.h"
#include "rng.h"

#define OBSERVED_NS (20 * NSEC_PER_SEC)
#define BOOSTED_NS  (20 * NSEC_PER_SEC)

/* More than this is not promised: the sample has some of the wake-ups, and the booster takes time.
 */
#define MARGIN_PERMILLE 40

static const struct behaviour spinner = {"spinner", {{.run_ns = NSEC_NEVER}}, 0};

struct drawn {
	struct behaviour vcpu;
	uint32_t spinners;
};

static uint64_t draw(uint64_t *seed, uint64_t low, uint64_t high)
{
	return low + rng_below(seed, high - low + 1);
}

/* From 50 us to 3 ms of work at 100 Hz to 2 kHz, no more than a quarter of a CPU; on and off. */
static void draw_demand(uint64_t seed, struct drawn *ret)
{
	uint64_t period_ns = NSEC_PER_SEC / draw(&seed, 100, 2000);
	struct phase on = {
	        .sleep_ns = period_ns,
	        .run_ns = draw(&seed, 50 * NSEC_PER_USEC,
	                       MAX(MIN(3 * NSEC_PER_MSEC, period_ns / 4), 50 * NSEC_PER_USEC)),
	        .vary_permille = (uint32_t)draw(&seed, 0, 2) * 150,
	        .periodic = true,
	};

	*ret = (struct drawn){.vcpu = {"drawn", {on}}, .spinners = (uint32_t)draw(&seed, 1, 6)};
	if (!draw(&seed, 0, 1))
		return;
	ret->vcpu.phases[0].lasts_ns = draw(&seed, 50, 400) * NSEC_PER_MSEC;
	ret->vcpu.phases[1] = (struct phase){
	        .lasts_ns = draw(&seed, 50, 400) * NSEC_PER_MSEC,
	        .run_ns = 20 * NSEC_PER_USEC,
	        .sleep_ns = 50 * NSEC_PER_MSEC,
	};
}

/* The caps are in nothing's way, so that nothing but the vCPU's own tokens ends its boosts. */
static void play(const struct drawn *drawn, const struct sim_options *options,
                 const struct profile *profile, uint64_t for_ns, struct large *large)
{
	struct host_options how = {
	        .profile = *profile,
	        .caps = {.cpu_share_permille = 650,
	                 .cpu_burst_ns = 2 * PROFILE_BURST_NS_MAX,
	                 .domain_share_permille = 650,
	                 .domain_burst_ns = 2 * PROFILE_BURST_NS_MAX,
	                 .max_changes_per_s = 500,
	                 .booster_permille = options->booster_permille},
	        .delay_ns = options->delay_ns,
	        .apply_ns = LARGE_APPLY_NS,
	        .seed = options->seed ^ 0x5eed,
	};
	struct thread thread = {.behaviour = &drawn->vcpu, .only_cpu = -1};

	large_init(large, 1, options->seed);
	world_add(&large->world, &thread);
	thread = (struct thread){.behaviour = &spinner, .vcpu = -1, .domain = -1, .only_cpu = -1};
	for (thread.group = 1; thread.group <= drawn->spinners; thread.group++)
		world_add(&large->world, &thread);
	large_start(large, 1, 1, &how, 0);
	large_play(large, for_ns);
}

static void end(struct large *large)
{
	large_end(large);
	large_fini(large);
}

static const struct demand *sample_of(const struct host *host)
{
	static struct demand demand;

	demand_read(&host->demand, host->vcpus[0].halts, &host->prices, &demand);
	return &demand;
}

static struct recommend recommend(const struct drawn *drawn, const struct sim_options *options,
                                  struct large *large)
{
	struct profile observe = PROFILE_OBSERVE_INIT;
	struct recommend_facts facts;
	struct recommend ret;

	play(drawn, options, &observe, OBSERVED_NS, large);
	facts = (struct recommend_facts){
	        .traced = true,
	        .wakeups = large->host->vcpus[0].wakeups,
	        /* in this fair class hardly one waits that is entitled to what it needs */
	        .wait_us = 10 * RECOMMEND_WAIT_US,
	        .run_permille = (uint32_t)(large->host->vcpus[0].run_ns * 1000 / OBSERVED_NS),
	        .limits = {.burst_ns = PROFILE_BURST_NS_MAX, .share_permille = 500},
	        .demand = sample_of(large->host),
	};
	facts.entitled_permille = demand_entitled_permille(facts.demand);
	ret = recommend_vcpu(&facts);
	end(large);
	return ret;
}

/* How many of 1000 wake-ups found it boosted, and their tokens lasted. */
static uint32_t seen_permille(const struct demand *demand)
{
	uint64_t covered = 0;

	for (size_t i = 0; i < demand->n; i++)
		if (demand->pieces[i].boosted && !demand->pieces[i].late)
			covered += demand->pieces[i].weight;
	return demand->wakeups ? (uint32_t)(covered * 1000 / demand->wakeups) : 0;
}

static uint32_t boost(const struct drawn *drawn, const struct sim_options *options,
                      const struct recommend *said, struct large *large)
{
	struct profile profile = PROFILE_LATENCY_INIT;
	uint32_t permille;

	profile.burst_ns = said->burst_ns;
	profile.share_permille = said->share_permille;
	play(drawn, options, &profile, BOOSTED_NS, large);
	permille = seen_permille(sample_of(large->host));
	end(large);
	return permille;
}

struct sums {
	unsigned int applied, failed;
	int worst;
};

static void check(struct sim_options options, struct sums *sums)
{
	struct large *large = calloc(1, sizeof(*large));
	struct drawn drawn;
	struct recommend said;
	int off;

	if (!large)
		abort();
	draw_demand(options.seed, &drawn);
	said = recommend(&drawn, &options, large);
	printf("seed %4" PRIu64 ": each %5" PRIu64 " us for %4" PRIu64 " us, %" PRIu32
	       " spinners: %s",
	       options.seed, drawn.vcpu.phases[0].sleep_ns / NSEC_PER_USEC,
	       drawn.vcpu.phases[0].run_ns / NSEC_PER_USEC, drawn.spinners,
	       recommend_verdict_name(said.verdict));
	if (said.verdict == RECOMMEND_BOOST || said.verdict == RECOMMEND_PART) {
		uint32_t seen = boost(&drawn, &options, &said, large);

		off = (int)said.covered_permille - (int)seen;
		printf(", burst %" PRIu64 " us, share %" PRIu32 ": said %" PRIu32 ", seen %" PRIu32
		       "%s",
		       said.burst_ns / NSEC_PER_USEC, said.share_permille, said.covered_permille,
		       seen, off > MARGIN_PERMILLE ? ": not ok" : "");
		sums->applied++;
		sums->failed += off > MARGIN_PERMILLE;
		sums->worst = MAX(sums->worst, off);
	}
	puts("");
	free(large);
}

int demands_run(const struct sim_options *options, unsigned int seeds)
{
	struct sim_options one = *options;
	struct sums sums = {0};

	for (unsigned int i = 0; i < seeds; i++, one.seed++)
		check(one, &sums);
	printf("of %u demands %u are boosted; of no other one more than %d permille fewer wake-ups "
	       "are covered than was said\n",
	       seeds, sums.applied, sums.worst);
	sums.failed += sums.applied * 3 < seeds; /* or it says nothing */
	printf("%u passed, %u failed, 0 skipped\n", sums.applied - MIN(sums.failed, sums.applied),
	       sums.failed);
	return sums.failed ? 1 : 0;
}
