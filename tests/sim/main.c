/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sim: the policy on a simulated machine. Without --scenario it is the test: all scenarios, three
 * delays, several seeds, and the faults put in on purpose, which the checker must find.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aside.h"
#include "demands.h"
#include "mutations.h"
#include "policy/registry.h"
#include "print.h"
#include "scale.h"
#include "sim.h"
#include "worse.h"

static const char usage[] =
        "Usage: sim [OPTION...]\n"
        "Runs the boosting policy on a simulated machine and checks what it promises.\n\n"
        "      --scenario NAME  this one only (--list names them); without it, the whole test\n"
        "      --seed N         seed of everything random; in the test the first one (1)\n"
        "      --seeds N        seeds per scenario in the test (3)\n"
        "      --seconds N      simulated time of one run (1)\n"
        "      --cpus N         CPUs, at most 512\n"
        "      --vcpus N        vCPUs, at most as many as the scenario has\n"
        "      --delay US       the booster's longest reaction (15)\n"
        "      --late US        a deadline's start acts so much later, at most (0)\n"
        "      --refuse PERMILLE  so many of these starts are refused (0)\n"
        "      --booster PERMILLE  what events may take of the booster's time (20)\n"
        "      --policy NAME    all vCPUs are boosted by this one (pvschedd)\n"
        "      --mutation N     puts in a fault, 1 to 23\n"
        "      --trace          prints what happens\n"
        "      --list           lists the scenarios\n"
        "      --scale          large hosts instead: 64 vCPUs on 8 CPUs to 4000 on 512, or as\n"
        "                       --vcpus and --cpus say, for --seconds; prints a table\n"
        "      --aside          guests that step aside; with --vcpus and --cpus one large host\n"
        "      --crowd EASE     a crowd of real threads, simulated: tests/bench/run crowd\n"
        "      --demands N      N drawn demands: are they covered as it is recommended?\n"
        "      --never-worse    with and without boosts, also on slow machines (--scenario, "
        "--slow)\n"
        "      --brief          with --never-worse: some scenes, on the slowest machine\n"
        "      --usual-prices   with --never-worse: not those that follow from the machine\n"
        "      --untreated      with --never-worse: whether boosts do harm is not looked at\n"
        "      --slow N         so many times as slow as a measured machine: 1, 3 or 10\n"
        "      --faults         with --scale: then 4000 vCPUs with faults, which must be found\n"
        "      --json FILE      with --scale: writes the figures there as well\n"
        "  -h, --help           shows this\n";

static void worst_cap(struct sim_cap *worst, const struct sim_cap *cap)
{
	if (cap->excess_ns > worst->excess_ns)
		*worst = *cap;
}

static void add_urgent(struct sim_urgent *sum, const struct sim_urgent *u)
{
	sum->jobs += u->jobs;
	sum->wait_ns += u->wait_ns;
	sum->late += u->late;
	sum->worst_ns = MAX(sum->worst_ns, u->worst_ns);
	sum->boosted_ns += u->boosted_ns;
	sum->lasts_ns += u->lasts_ns;
	sum->helper_waits += u->helper_waits;
	sum->helper_wait_ns += u->helper_wait_ns;
	delays_merge(&sum->waits, &u->waits);
}

static void worst_of(struct sim_result *worst, const struct sim_result *r)
{
	worst_cap(&worst->vcpu, &r->vcpu);
	worst_cap(&worst->domain, &r->domain);
	worst_cap(&worst->cpu, &r->cpu);
	worst_cap(&worst->sheet, &r->sheet);
	worst_cap(&worst->helper, &r->helper);
	worst->boosted_permille = MAX(worst->boosted_permille, r->boosted_permille);
	worst->served_permille = MIN(worst->served_permille, r->served_permille);
	worst->host_loss_permille = MAX(worst->host_loss_permille, r->host_loss_permille);
	worst->calls_per_s = MAX(worst->calls_per_s, r->calls_per_s);
	worst->booster_permille = MAX(worst->booster_permille, r->booster_permille);
	worst->pauses = MAX(worst->pauses, r->pauses);
	worst->base_wait_ns = MAX(worst->base_wait_ns, r->base_wait_ns);
	worst->longest_wait_ns = MAX(worst->longest_wait_ns, r->longest_wait_ns);
	add_urgent(&worst->heard, &r->heard);
	add_urgent(&worst->unheard, &r->unheard);
	worst->failed = worst->failed ? worst->failed : r->failed;
}

static void test_scenario(const struct scenario *scenario, struct sim_options options,
                          unsigned int seeds, struct tally *tally)
{
	struct sim_result worst, r;

	sim_run(scenario, &options, &worst);
	for (unsigned int i = 1; i < seeds; i++) {
		options.seed++;
		sim_run(scenario, &options, &r);
		worst_of(&worst, &r);
	}
	/* what requests are worth depends on prices */
	if (!options.refused_permille && options.policy <= REGISTRY_DEFAULT &&
	    !options.prices.charge_min_ns)
		sim_judge_asking(scenario, &worst);
	sim_print(scenario->name, &options, seeds, &worst);
	tally_count(tally, !worst.failed);
}

/* The least and the highest prices that a machine may have: the caps hold all the same. */
static void test_prices(struct sim_options options, unsigned int seeds, struct tally *tally)
{
	static const struct pvs_prices prices[] = {
	        {PVS_CHARGE_LEAST_NS, PVS_TOKENS_LEAST_NS, 0},
	        {PVS_CHARGE_MOST_NS, PVS_TOKENS_MOST_NS, PVS_SWITCH_MOST_NS}};

	for (size_t p = 0; p < ARRAY_SIZE(prices); p++) {
		options.prices = prices[p];
		printf("# prices: a run is charged %u ns at least, and %u ns are no tokens\n",
		       prices[p].charge_min_ns, prices[p].tokens_min_ns);
		for (size_t i = 0; i < n_scenarios; i++)
			test_scenario(&scenarios[i], options, seeds, tally);
	}
}

/*
 * As from Linux 7.0 on: a deadline is started late, and now and then not at all. The caps hold all
 * the same; a vCPU whose boosts are refused is served less, which is not judged.
 */
static void test_late_timers(struct sim_options options, unsigned int seeds, struct tally *tally)
{
	static const uint32_t refused_permille[] = {0, 50};

	options.start_late_ns = 20 * NSEC_PER_USEC;
	for (size_t r = 0; r < ARRAY_SIZE(refused_permille); r++) {
		options.refused_permille = refused_permille[r];
		printf("# late-timers: a start acts up to 20 us later, %u permille are refused\n",
		       refused_permille[r]);
		for (size_t i = 0; i < n_scenarios; i++)
			test_scenario(&scenarios[i], options, seeds, tally);
	}
}

/*
 * The caps hold whatever the policy wishes, also one that wishes a boost at all times. Who is
 * served by another policy than the default one is not judged.
 */
static void test_policies(struct sim_options options, unsigned int seeds, struct tally *tally)
{
	for (options.policy = REGISTRY_DEFAULT + 1; options.policy <= registry_n;
	     options.policy++) {
		printf("# policy %s: %s\n", registry_of(options.policy)->name,
		       registry_of(options.policy)->brief);
		for (size_t i = 0; i < n_scenarios; i++)
			test_scenario(&scenarios[i], options, seeds, tally);
	}
}

/* The same seed gives the same history, another one another. */
static void test_repeats(struct sim_options options, struct tally *tally)
{
	const struct scenario *scenario = scenario_find("mixed");
	struct sim_result first, again, other;
	bool ok;

	options.lasts_ns = 200 * NSEC_PER_MSEC;
	sim_run(scenario, &options, &first);
	sim_run(scenario, &options, &again);
	options.seed++;
	sim_run(scenario, &options, &other);
	ok = first.hash == again.hash && first.hash != other.hash;
	tally_count(tally, ok);
	printf("%s same seed, same trace: %016" PRIx64 " %016" PRIx64 ", other seed: %016" PRIx64
	       "\n",
	       ok ? "ok" : "not ok", first.hash, again.hash, other.hash);
}

static int test_all(struct sim_options options, unsigned int seeds)
{
	static const uint64_t delays_us[] = {3, 15, 100};
	struct tally tally = {0};

	for (size_t d = 0; d < ARRAY_SIZE(delays_us); d++) {
		options.delay_ns = delays_us[d] * NSEC_PER_USEC;
		for (size_t i = 0; i < n_scenarios; i++)
			test_scenario(&scenarios[i], options, seeds, &tally);
	}
	options.delay_ns = delays_us[1] * NSEC_PER_USEC;
	test_policies(options, seeds, &tally);
	test_late_timers(options, seeds, &tally);
	test_prices(options, seeds, &tally);
	options.delay_ns = delays_us[0] * NSEC_PER_USEC;
	test_repeats(options, &tally);
	mutations_test(options, &tally);
	printf("%u passed, %u failed, 0 skipped\n", tally.passed, tally.failed);
	return tally.failed ? 1 : 0;
}

static int run_one(const char *name, const struct sim_options *options)
{
	const struct scenario *scenario = scenario_find(name);
	struct sim_result r;

	if (!scenario) {
		fprintf(stderr, "sim: no scenario is called '%s'; --list names them\n", name);
		return 2;
	}
	sim_run(scenario, options, &r);
	if (options->policy <= REGISTRY_DEFAULT)
		sim_judge_asking(scenario, &r);
	sim_print(name, options, 1, &r);
	printf("%d passed, %d failed, 0 skipped\n", !r.failed, !!r.failed);
	return r.failed ? 1 : 0;
}

/* An option's number, within bounds; ends the program when it is none. */
static uint64_t number(const char *option, const char *text, uint64_t least, uint64_t most)
{
	char *end;
	unsigned long long value;

	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno || *end || end == text || *text == '-' || value < least || value > most) {
		fprintf(stderr, "sim: --%s: '%s' is not a number from %" PRIu64 " to %" PRIu64 "\n",
		        option, text, least, most);
		exit(2);
	}
	return value;
}

/* clang-format off */
static const struct option longopts[] = {
        {"scenario", required_argument, NULL, 'n'},
        {"seed", required_argument, NULL, 's'},
        {"seeds", required_argument, NULL, 'S'},
        {"seconds", required_argument, NULL, 't'},
        {"cpus", required_argument, NULL, 'c'},
        {"vcpus", required_argument, NULL, 'v'},
        {"delay", required_argument, NULL, 'd'},
        {"late", required_argument, NULL, 'L'},
        {"refuse", required_argument, NULL, 'r'},
        {"booster", required_argument, NULL, 'b'},
        {"policy", required_argument, NULL, 'p'},
        {"mutation", required_argument, NULL, 'm'},
        {"trace", no_argument, NULL, 'T'},
        {"list", no_argument, NULL, 'l'},
        {"help", no_argument, NULL, 'h'},
        {"scale", no_argument, NULL, 'x'},
        {"json", required_argument, NULL, 'j'},
        {"crowd", required_argument, NULL, 'C'},
        {"demands", required_argument, NULL, 'D'},
        {"aside", no_argument, NULL, 'A'},
        {"faults", no_argument, NULL, 'F'},
        {"never-worse", no_argument, NULL, 'W'},
        {"brief", no_argument, NULL, 'B'},
        {"untreated", no_argument, NULL, 'U'},
        {"usual-prices", no_argument, NULL, 'P'},
        {"slow", required_argument, NULL, 'w'},
        {0},
};
/* clang-format on */

static int list(void)
{
	for (size_t i = 0; i < n_scenarios; i++)
		puts(scenarios[i].name);
	return 0;
}

struct arguments {
	struct sim_options options;
	struct scale_options scale;
	const char *name; /* of one scenario */
	unsigned int seeds;
	bool scales, lists, helps, compares, asides;
	struct worse_options worse;
	uint32_t ease;        /* of the crowd; 0: none is wanted */
	unsigned int demands; /* the same */
};

/* How large, how long, how slow. Returns false when it is another option. */
static bool take_size(struct arguments *a, int c, const char *option)
{
	if (c == 's')
		a->options.seed = number(option, optarg, 0, UINT64_MAX);
	else if (c == 'S')
		a->seeds = (unsigned int)number(option, optarg, 1, 1000000);
	else if (c == 't')
		a->options.lasts_ns = number(option, optarg, 1, 3600) * NSEC_PER_SEC;
	else if (c == 'c')
		a->options.cpus = (uint32_t)number(option, optarg, 1, WORLD_CPUS_MAX);
	else if (c == 'v')
		a->options.vcpus = (uint32_t)number(option, optarg, 1, PVS_VCPUS_MAX);
	else if (c == 'd')
		a->options.delay_ns = number(option, optarg, 2, 1000000) * NSEC_PER_USEC;
	else if (c == 'L')
		a->options.start_late_ns = number(option, optarg, 0, 1000) * NSEC_PER_USEC;
	else if (c == 'r')
		a->options.refused_permille = (uint32_t)number(option, optarg, 0, 1000);
	else if (c == 'b')
		a->options.booster_permille = (uint32_t)number(option, optarg, 1, 200);
	else if (c == 'm')
		a->options.mutation = (enum mutation)number(option, optarg, 0, _MUTATION_MAX - 1);
	else
		return false;
	return true;
}

/* A policy's number; ends the program when there is none of that name. */
static uint32_t policy_number(const char *label)
{
	uint32_t found = registry_parse(label);
	char known[128];

	registry_list(known, sizeof(known));
	if (found != REGISTRY_NONE)
		return found;
	fprintf(stderr, "sim: --policy: '%s' is none of %s\n", label, known);
	exit(2);
}

static bool take(struct arguments *a, int c, const char *option)
{
	if (c == 'n')
		a->name = optarg;
	else if (c == 'p')
		a->options.policy = policy_number(optarg);
	else if (c == 'T')
		a->options.print = true;
	else if (c == 'x')
		a->scales = true;
	else if (c == 'C')
		a->ease = (uint32_t)number(option, optarg, 1, 1000);
	else if (c == 'D')
		a->demands = (unsigned int)number(option, optarg, 1, 100000);
	else if (c == 'A')
		a->asides = true;
	else if (c == 'W')
		a->compares = true;
	else if (c == 'B')
		a->worse.brief = true;
	else if (c == 'U')
		a->worse.untreated = true;
	else if (c == 'P')
		a->worse.usual_prices = true;
	else if (c == 'w')
		a->worse.slow = number(option, optarg, 1, 10);
	else if (c == 'F')
		a->scale.faults = true;
	else if (c == 'j')
		a->scale.json_path = optarg;
	else if (c == 'l')
		a->lists = true;
	else if (c == 'h')
		a->helps = true;
	else
		return take_size(a, c, option);
	return true;
}

static int run_scale(struct arguments *a)
{
	a->scale.seed = a->options.seed;
	a->scale.booster_permille = a->options.booster_permille;
	a->scale.lasts_ns = a->options.lasts_ns;
	a->scale.vcpus = a->options.vcpus;
	a->scale.cpus = a->options.cpus;
	return scale_run(&a->scale);
}

static int run_worse(struct arguments *a)
{
	a->worse.seed = a->options.seed;
	a->worse.seeds = a->seeds;
	a->worse.lasts_ns = a->options.lasts_ns;
	a->worse.scene = a->name;
	return worse_run(&a->worse);
}

static int run_aside(const struct arguments *a)
{
	struct aside_options options = {
	        .seed = a->options.seed,
	        .vcpus = a->options.vcpus,
	        .cpus = a->options.cpus ? a->options.cpus : 2,
	        .lasts_ns = a->options.lasts_ns,
	};

	return aside_run(&options);
}

int main(int argc, char **argv)
{
	struct arguments a = {.options = {.seed = 1,
	                                  .lasts_ns = NSEC_PER_SEC,
	                                  .delay_ns = 15 * NSEC_PER_USEC,
	                                  .booster_permille = 20},
	                      .seeds = 3};
	int c, i = 0;

	while ((c = getopt_long(argc, argv, "h", longopts, &i)) != -1)
		if (!take(&a, c, longopts[i].name))
			return fputs(usage, stderr), 2;
	if (a.helps)
		return fputs(usage, stdout), 0;
	if (a.lists)
		return list();
	if (a.compares)
		return run_worse(&a);
	if (a.scales)
		return run_scale(&a);
	if (a.asides)
		return run_aside(&a);
	if (a.demands)
		return demands_run(&a.options, a.demands);
	if (a.ease)
		return crowd_run(&a.options, a.ease);
	return a.name ? run_one(a.name, &a.options) : test_all(a.options, a.seeds);
}
