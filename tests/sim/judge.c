/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "judge.h"

#include <stdlib.h>

#include "policy/registry.h"

#include "follow.h"
#include "guest.h"

/* What was promised to the threads that work for a domain: so long they wait behind its vCPUs. */
#define HELPER_WAIT_NS NSEC_PER_MSEC

/* What is promised of each CPU: the longest real time in any second in which we boost there. */
#define SHEET_NS (700 * NSEC_PER_MSEC)

/*
 * How long fair threads may wait without anybody being wronged: all groups and all members of one
 * on one CPU, with a slice each; twice that, since real-time threads take 30 % and lag a slice. Six
 * times where they may take more: with a foreign one that takes 80 %.
 */
static uint64_t wait_limit_ns(const struct scenario *scenario)
{
	uint64_t groups = scenario->spinners_per_cpu, members = 1;

	for (size_t i = 0; i < SCENARIO_CASTS_MAX; i++) {
		groups += scenario->casts[i].domains * (1 + (scenario->casts[i].helper != NULL));
		members = MAX(members, scenario->casts[i].vcpus);
	}
	return (scenario->cpu_share_permille ? 6 : 2) * WORLD_SLICE_NS * groups * members;
}

#define WARM_NS                                                                                    \
	(100 * NSEC_PER_MSEC) /* before it, who is served is not judged: some are not armed yet */

/*
 * The slacks. An emptied bucket is overdrawn by what runs until the change has its effect: the
 * timer is late, the booster takes its delay, and does what came before first. Charges are rounded
 * down by less than 1 ns each, and there is at most one per least charge of a CPU's share.
 */
static uint64_t reaction_ns(const struct sim_options *options, unsigned int n_vcpus)
{
	return options->delay_ns + HOST_TIMER_NS + options->start_late_ns +
	       2 * n_vcpus * HOST_APPLY_NS +
	       options->lasts_ns / pvs_charge_min_ns(&options->prices);
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
	return members * reaction_ns(options, n_vcpus) + (at_once ? at_once - 1 : 0) * SIM_BURST_NS;
}

/* The longest run of a foreign real-time thread. */
static uint64_t foreign_run_ns(const struct scenario *scenario)
{
	const struct phase *phase = scenario->foreign ? &scenario->foreign->phases[0] : NULL;

	return phase ? phase->run_ns * (1000 + phase->vary_permille) / 1000 : 0;
}

static uint64_t cpu_slack_ns(const struct scenario *scenario, const struct sim_options *options,
                             unsigned int n_vcpus)
{
	return n_vcpus * reaction_ns(options, n_vcpus) + foreign_run_ns(scenario);
}

static uint32_t cpu_permille(const struct scenario *scenario)
{
	return scenario->cpu_share_permille ?: SIM_CPU_SHARE_PERMILLE;
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

/* Both ways to judge, over the same intervals. */
static uint64_t excess_ns(const struct record *record, enum checker_key key, uint32_t number,
                          uint32_t share_permille, struct sim_result *ret)
{
	uint64_t excess =
	        checker_excess_ns(record->runs, record->n_runs, key, number, share_permille);

	fail_if(ret, excess != meters_excess_ns(record->meters, key, number),
	        "the two ways to check a cap disagree");
	return excess;
}

static void judge_caps(const struct scenario *scenario, const struct sim_options *options,
                       const struct world *world, const struct record *record, unsigned int n_vcpus,
                       struct sim_result *ret)
{
	for (uint32_t i = 0; i < n_vcpus; i++) {
		uint32_t domain = (uint32_t)world->threads[i].domain;

		if (world->threads[i].own_priority)
			continue; /* its owner set no cap */
		/* what others pay for is theirs: then the caps of domain and CPU are what holds */
		if (!scenario->help)
			nearest(&ret->vcpu,
			        excess_ns(record, CHECKER_VCPU, i, SIM_SHARE_PERMILLE, ret),
			        SIM_BURST_NS + reaction_ns(options, n_vcpus));
		if (i > 0 && world->threads[i - 1].domain == (int)domain)
			continue;
		nearest(&ret->domain,
		        excess_ns(record, CHECKER_DOMAIN, domain,
		                  scenario_domain_permille(scenario), ret),
		        SIM_DOMAIN_BURST_NS + domain_slack_ns(options, world, n_vcpus, domain));
	}
	for (uint32_t i = 0; i < world->n_cpus; i++)
		nearest(&ret->cpu, excess_ns(record, CHECKER_CPU, i, cpu_permille(scenario), ret),
		        SIM_CPU_BURST_NS + cpu_slack_ns(scenario, options, n_vcpus));
	fail_if(ret, ret->vcpu.excess_ns > ret->vcpu.limit_ns, "a vCPU was boosted beyond its cap");
	fail_if(ret, ret->domain.excess_ns > ret->domain.limit_ns,
	        "a domain was boosted beyond its cap");
	fail_if(ret, ret->cpu.excess_ns > ret->cpu.limit_ns,
	        "a CPU ran real-time threads beyond its cap");
}

/*
 * The sheet has no slack: foreign threads between two looks are in its margin. But a vCPU that was
 * armed before the sheet was used up runs for a reaction when it wakes, once.
 */
static void judge_sheets(const struct sim_options *options, const struct world *world,
                         const struct record *record, unsigned int n_vcpus, struct sim_result *ret)
{
	uint64_t reaction = reaction_ns(options, n_vcpus);

	for (uint32_t i = 0; i < world->n_cpus; i++) {
		struct checker_second second =
		        checker_second(record->runs, record->n_runs, i, SHEET_NS, reaction);

		nearest(&ret->sheet, second.most_ns, SHEET_NS);
		fail_if(ret, second.late_ns > n_vcpus * reaction,
		        "a CPU was boosted on while its sheet was used up");
	}
	fail_if(ret, ret->sheet.excess_ns > ret->sheet.limit_ns,
	        "a CPU was boosted on while its sheet was used up");
}

/*
 * Beyond what was promised there may be, of each vCPU of the domain that is boosted there, what
 * runs until that has its effect, since each that comes is shed by itself.
 */
static void judge_helpers(const struct sim_options *options, const struct host *host,
                          const struct world *world, const struct record *record,
                          struct sim_result *ret)
{
	for (uint32_t i = 0; i < world->n_threads; i++) {
		uint32_t members = 0;

		if (!follow_is_helper(host, i) || world->threads[i].only_cpu < 0)
			continue; /* one that is moved at last waited elsewhere */
		for (uint32_t v = 0; v < host->n_vcpus; v++)
			members += world->threads[v].domain == world->threads[i].domain;
		nearest(&ret->helper, checker_longest_behind_ns(record->runs, record->n_runs, i),
		        HELPER_WAIT_NS + members * reaction_ns(options, host->n_vcpus));
	}
	fail_if(ret, ret->helper.excess_ns > ret->helper.limit_ns,
	        "a thread waited too long behind the vCPUs that it works for");
}

/* No stretch of one that spins is boosted for longer than it takes to see that, and to unboost it.
 */
static bool spins_boosted(const struct sim_options *options, const struct world *world,
                          const struct record *record, unsigned int n_vcpus)
{
	for (size_t i = 0; i < record->n_runs; i++) {
		const struct run_interval *run = &record->runs[i];
		uint64_t every_ns = world->threads[run->thread].behaviour->spin_every_ns;

		if (every_ns && run->boosted &&
		    run->to_ns - run->from_ns >
		            (PVS_SPINS + 1) * every_ns + reaction_ns(options, n_vcpus))
			return true;
	}
	return false;
}

/*
 * What one domain may cause alone: what all have, with the burst of that and of its part, and once
 * a burst more, which the end of boosts may take while it is not heard.
 */
static uint64_t attention_limit_ns(const struct scenario *scenario,
                                   const struct sim_options *options)
{
	uint32_t permille = scenario->booster_permille ?: options->booster_permille;

	return options->lasts_ns * permille / 1000 + 3 * ATTENTION_BURST_NS;
}

static void judge_attention(const struct scenario *scenario, const struct sim_options *options,
                            const struct host *host, const struct world *world,
                            struct sim_result *ret)
{
	for (uint32_t i = 0; i < host->n_domains; i++) {
		struct attention_view view;

		attention_read(host->attention, i, world->now_ns, &view);
		ret->pauses += view.unheard_total;
		fail_if(ret, host->caused_ns[i] > attention_limit_ns(scenario, options),
		        "a domain took more of the booster's time than its part");
		fail_if(ret,
		        scenario->is_flooded && i < scenario->casts[0].domains &&
		                view.unheard_total > 0,
		        "a domain was not heard since another one floods the booster");
	}
}

void judge(const struct scenario *scenario, const struct sim_options *options,
           const struct host *host, const struct world *world, const struct record *record,
           struct sim_result *ret)
{
	const struct run_interval *runs = record->runs;
	size_t n = record->n_runs;
	uint64_t closed_ns = world->now_ns - SIM_SETTLE_NS;
	uint64_t warm_ns = world->now_ns - options->lasts_ns + WARM_NS;

	ret->failed = checker_nonsense(runs, n, world->n_cpus, world->n_threads);
	fail_if(ret, meters_nonsense(record->meters) != ret->failed,
	        "the two ways to check the record disagree");
	fail_if(ret, host->broken != NULL, host->broken);
	fail_if(ret, host->events_lost > 0, "the ring buffer overflowed");
	judge_caps(scenario, options, world, record, host->n_vcpus, ret);
	judge_sheets(options, world, record, host->n_vcpus, ret);
	judge_helpers(options, host, world, record, ret);
	judge_attention(scenario, options, host, world, ret);
	ret->boosted_permille = checker_boosted_permille(runs, n, world->n_cpus, options->lasts_ns);
	ret->longest_wait_ns = checker_longest_wait_ns(runs, n);
	fail_if(ret, ret->longest_wait_ns != meters_longest_wait_ns(record->meters),
	        "the two ways to check waits disagree");
	ret->served_permille = -1;
	for (int i = 0; i < (int)host->n_vcpus; i++) {
		int served = checker_served_permille(runs, n, i, warm_ns, closed_ns);

		if (world->threads[i].behaviour == scenario->casts[0].behaviour &&
		    (ret->served_permille < 0 || served < ret->served_permille))
			ret->served_permille = served;
	}
	for (uint32_t i = 0; i < host->n_vcpus; i++)
		fail_if(ret, world->threads[i].priority != world->threads[i].own_priority,
		        "a vCPU was still boosted after the end");
	fail_if(ret,
	        !options->refused_permille && options->policy <= REGISTRY_DEFAULT &&
	                pvs_charge_min_ns(&options->prices) <= PVS_CHARGE_MIN_NS &&
	                ret->served_permille < scenario->served_permille,
	        "a vCPU within its budget was not boosted when it woke");
	fail_if(ret, ret->longest_wait_ns > wait_limit_ns(scenario), "a thread waited too long");
	fail_if(ret, spins_boosted(options, world, record, host->n_vcpus),
	        "a guest that spun stayed boosted");
}

void judge_urgent(const struct world *world, const struct record *record, struct sim_urgent *ret)
{
	*ret = (struct sim_urgent){0};
	for (size_t i = 0; i < record->n_runs; i++) {
		const struct run_interval *run = &record->runs[i];

		if (run->boosted && guest_is_honest(world->threads[run->thread].behaviour))
			ret->boosted_ns += run->to_ns - run->from_ns;
	}
	for (uint32_t i = 0; i < world->n_threads; i++) {
		const struct guest *guest = world->threads[i].guest;
		const struct thread *t = &world->threads[i];

		ret->jobs += t->interrupts;
		ret->wait_ns += t->interrupt_wait_ns;
		ret->late += t->interrupts_late;
		ret->worst_ns = MAX(ret->worst_ns, t->interrupt_worst_ns);
		if (!guest)
			continue;
		ret->jobs += guest->urgent_jobs;
		ret->wait_ns += guest->urgent_wait_ns;
		ret->late += guest->urgent_late;
		ret->worst_ns = MAX(ret->worst_ns, guest->urgent_worst_ns);
		delays_merge(&ret->waits, &guest->urgent_waits);
	}
}

/* What chance does in a second: a tenth of the mean, a wait of a slice or two, one job in fifty. */
static bool is_slower(const struct sim_urgent *a, const struct sim_urgent *b)
{
	uint64_t mean_a = a->wait_ns / MAX(a->jobs, UINT64_C(1));
	uint64_t mean_b = b->wait_ns / MAX(b->jobs, UINT64_C(1));

	return mean_a > mean_b + mean_b / 10 + 10 * NSEC_PER_USEC ||
	       a->late * b->jobs > (b->late + b->jobs / 50) * a->jobs;
}

void sim_judge_asking(const struct scenario *scenario, struct sim_result *ret)
{
	const struct sim_urgent *heard = &ret->heard, *unheard = &ret->unheard;

	if (scenario->follows == FOLLOWS_SOONER && ret->delay_ns <= 20 * NSEC_PER_USEC &&
	    !ret->failed)
		ret->failed = follow_judge(ret);
	if (!scenario->gain)
		return;
	fail_if(ret, heard->jobs == 0 || unheard->jobs == 0, "there was no urgent work");
	fail_if(ret, is_slower(heard, unheard), "who asks waits longer than who does not");
	if (scenario->gain & GAIN_TIME)
		fail_if(ret, heard->boosted_ns * 10 > unheard->boosted_ns * 8,
		        "asking saved no boosted time");
	/*
	 * What the guest's scheduler says: half of the time, and no urgent task later than before.
	 * A boost for ordinary work lasts until a booster has reacted that is no slower than most.
	 */
	if ((scenario->gain & GAIN_HINTS) && ret->delay_ns <= 20 * NSEC_PER_USEC)
		fail_if(ret, heard->boosted_ns * 2 > unheard->boosted_ns,
		        "hints saved less than half of the boosted time");
	if (scenario->gain & GAIN_HINTS)
		fail_if(ret,
		        delays_quantile_ns(&heard->waits, 990) * 10 >
		                delays_quantile_ns(&unheard->waits, 990) * 11,
		        "with hints one urgent task of a hundred waits longer");
	if (scenario->gain & GAIN_DELAY)
		fail_if(ret, heard->wait_ns * unheard->jobs * 2 > unheard->wait_ns * heard->jobs,
		        "what was heard made nothing faster");
}
