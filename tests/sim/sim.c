/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim.h"

#include "rng.h"

#define SHARE_PERMILLE        200
#define BURST_NS              (500 * NSEC_PER_USEC)
#define CPU_SHARE_PERMILLE    300
#define CPU_BURST_NS          (3 * NSEC_PER_MSEC)
#define DOMAIN_SHARE_PERMILLE 500
#define DOMAIN_BURST_NS       (2 * NSEC_PER_MSEC)
#define FOREIGN_RUN_NS        (1300 * NSEC_PER_USEC) /* a foreign RT thread's longest run */

/*
 * How long fair threads may wait without anybody being wronged: all groups and all members of one
 * on one CPU, with a slice each; twice that, since real-time threads take 30 % and lag a slice.
 */
static uint64_t wait_limit_ns(const struct scenario *scenario)
{
	uint64_t groups = scenario->spinners_per_cpu, members = 1;

	for (size_t i = 0; i < SCENARIO_CASTS_MAX; i++) {
		groups += scenario->casts[i].domains;
		members = MAX(members, scenario->casts[i].vcpus);
	}
	return 2 * WORLD_SLICE_NS * groups * members;
}

#define SETTLE_NS (5 * NSEC_PER_MSEC) /* after the end: everything is lowered */
#define WARM_NS                                                                                    \
	(100 * NSEC_PER_MSEC) /* before it, who is served is not judged: some are not armed yet */

/*
 * The slacks. An emptied bucket is overdrawn by what runs until the change has its effect: the
 * timer is late, the booster takes its delay, and does what came before first. Charges are rounded
 * down by less than 1 ns each, and there is at most one per PVS_CHARGE_MIN_NS of a CPU's share.
 */
static uint64_t reaction_ns(const struct sim_options *options, unsigned int n_vcpus)
{
	return options->delay_ns + HOST_TIMER_NS + 2 * n_vcpus * HOST_APPLY_NS +
	       options->lasts_ns / PVS_CHARGE_MIN_NS;
}

/* For a domain's bucket and a CPU's each vCPU may have its overdraft at the same moment. */
static uint64_t domain_slack_ns(const struct sim_options *options, const struct world *world,
                                unsigned int n_vcpus, uint32_t domain)
{
	unsigned int members = 0, at_once;

	for (unsigned int i = 0; i < n_vcpus; i++)
		members += world->threads[i].domain == (int)domain;
	/*
	 * A run is charged when it ends: vCPUs that run at once do not see each other's. All but
	 * one may take a burst that the domain's bucket no longer has; it stays a debt.
	 */
	at_once = MIN(members, world->n_cpus);
	return members * reaction_ns(options, n_vcpus) + (at_once ? at_once - 1 : 0) * BURST_NS;
}

static uint64_t cpu_slack_ns(const struct scenario *scenario, const struct sim_options *options,
                             unsigned int n_vcpus)
{
	return n_vcpus * reaction_ns(options, n_vcpus) +
	       (scenario->foreign_rt ? FOREIGN_RUN_NS : 0);
}

static void nearest(struct sim_cap *cap, uint64_t excess_ns, uint64_t limit_ns)
{
	if (cap->limit_ns && excess_ns * cap->limit_ns <= cap->excess_ns * limit_ns)
		return;
	*cap = (struct sim_cap){excess_ns, limit_ns};
}

/* The first cause is the one that counts. */
static void fail_if(struct sim_result *ret, bool broken, const char *what)
{
	if (broken && !ret->failed)
		ret->failed = what;
}

static void judge_caps(const struct scenario *scenario, const struct sim_options *options,
                       const struct world *world, unsigned int n_vcpus, struct sim_result *ret)
{
	const struct run_interval *runs = world->runs;
	size_t n = world->n_runs;

	for (uint32_t i = 0; i < n_vcpus; i++) {
		uint32_t domain = (uint32_t)world->threads[i].domain;

		if (world->threads[i].own_priority)
			continue; /* its owner set no cap */
		nearest(&ret->vcpu, checker_excess_ns(runs, n, CHECKER_VCPU, i, SHARE_PERMILLE),
		        BURST_NS + reaction_ns(options, n_vcpus));
		if (i > 0 && world->threads[i - 1].domain == (int)domain)
			continue;
		nearest(&ret->domain,
		        checker_excess_ns(runs, n, CHECKER_DOMAIN, domain, DOMAIN_SHARE_PERMILLE),
		        DOMAIN_BURST_NS + domain_slack_ns(options, world, n_vcpus, domain));
	}
	for (uint32_t i = 0; i < world->n_cpus; i++)
		nearest(&ret->cpu, checker_excess_ns(runs, n, CHECKER_CPU, i, CPU_SHARE_PERMILLE),
		        CPU_BURST_NS + cpu_slack_ns(scenario, options, n_vcpus));
	fail_if(ret, ret->vcpu.excess_ns > ret->vcpu.limit_ns,
	        "a vCPU was elevated beyond its cap");
	fail_if(ret, ret->domain.excess_ns > ret->domain.limit_ns,
	        "a domain was elevated beyond its cap");
	fail_if(ret, ret->cpu.excess_ns > ret->cpu.limit_ns,
	        "a CPU ran real-time threads beyond its cap");
}

static void judge(const struct scenario *scenario, const struct sim_options *options,
                  const struct host *host, const struct world *world, struct sim_result *ret)
{
	const struct run_interval *runs = world->runs;
	size_t n = world->n_runs;
	uint64_t closed_ns = world->now_ns - SETTLE_NS;
	uint64_t warm_ns = world->now_ns - options->lasts_ns + WARM_NS;

	ret->failed = checker_nonsense(runs, n, world->n_cpus, world->n_threads);
	fail_if(ret, host->broken != NULL, host->broken);
	fail_if(ret, host->events_lost > 0, "the ring buffer overflowed");
	judge_caps(scenario, options, world, host->n_vcpus, ret);
	ret->elevated_permille =
	        checker_elevated_permille(runs, n, world->n_cpus, options->lasts_ns);
	ret->longest_wait_ns = checker_longest_wait_ns(runs, n);
	ret->served_permille = -1;
	for (int i = 0; i < (int)host->n_vcpus; i++) {
		int served = checker_served_permille(runs, n, i, warm_ns, closed_ns);

		if (world->threads[i].behaviour == scenario->casts[0].behaviour &&
		    (ret->served_permille < 0 || served < ret->served_permille))
			ret->served_permille = served;
	}
	for (uint32_t i = 0; i < host->n_vcpus; i++)
		fail_if(ret, world->threads[i].priority != world->threads[i].own_priority,
		        "a vCPU was still elevated after the end");
	fail_if(ret, ret->served_permille < scenario->served_permille,
	        "a vCPU within its budget was not elevated when it woke");
	fail_if(ret, ret->longest_wait_ns > wait_limit_ns(scenario), "a thread waited too long");
}

static void handle(struct host *host, struct world *world, const struct entry *entry)
{
	switch (entry->what) {
	case HAPPENS_CPU:
	case HAPPENS_WAKE:
		world_handle(world, entry);
		return;
	case HAPPENS_DEADLINE:
	case HAPPENS_BOOSTER:
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

/* Plays it; returns what the spinners had. */
static uint64_t run_once(const struct scenario *scenario, const struct sim_options *options,
                         bool boost, struct world *world, struct sim_result *ret)
{
	struct profile profile = {"sim", boost ? PROFILE_BOOST : PROFILE_OBSERVE, SHARE_PERMILLE,
	                          BURST_NS};
	struct host_caps caps = {.cpu_share_permille = CPU_SHARE_PERMILLE,
	                         .cpu_burst_ns = CPU_BURST_NS,
	                         .domain_share_permille = DOMAIN_SHARE_PERMILLE,
	                         .domain_burst_ns = DOMAIN_BURST_NS,
	                         .max_changes_per_s = 500};
	uint64_t spun_ns = 0, end_ns;
	unsigned int n_vcpus;
	struct host *host;

	world_init(world, options->cpus ? options->cpus : scenario->n_cpus, options->seed);
	world->print = options->print && boost;
	n_vcpus = scenario_populate(scenario, world, options->vcpus);
	host = host_new(world, n_vcpus, &profile, &caps, options->delay_ns, options->mutation,
	                options->seed ^ 0x5eed);
	end_ns = world->now_ns + options->lasts_ns;
	world_start(world);
	for (uint32_t i = 0; scenario->holds && i < n_vcpus; i++)
		world_plan(world, world->now_ns + NSEC_PER_MSEC, HAPPENS_COMMAND, i, 1);
	play(host, world, end_ns - SETTLE_NS);
	host_close(host);
	play(host, world, end_ns);
	world_end(world);
	for (uint32_t i = n_vcpus; i < world->n_threads; i++)
		if (world->threads[i].priority == 0)
			spun_ns += world->threads[i].ran_ns;
	if (!boost) {
		ret->base_wait_ns = checker_longest_wait_ns(world->runs, world->n_runs);
	} else {
		ret->hash = world->hash;
		ret->calls_per_s = host->calls * NSEC_PER_SEC / options->lasts_ns;
		judge(scenario, options, host, world, ret);
	}
	host_free(host);
	return spun_ns;
}

void sim_run(const struct scenario *scenario, const struct sim_options *options,
             struct sim_result *ret)
{
	static struct world world; /* some hundred KiB */
	uint64_t with_ns, without_ns;

	*ret = (struct sim_result){0};
	without_ns = run_once(scenario, options, false, &world, ret);
	world_fini(&world);
	with_ns = run_once(scenario, options, true, &world, ret);
	world_fini(&world);
	ret->host_loss_permille = without_ns ? (int)(((int64_t)without_ns - (int64_t)with_ns) *
	                                             1000 / (int64_t)without_ns)
	                                     : 0;
}
