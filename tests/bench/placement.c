// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One measurement of tests/bench/run placement: a victim on every CPU, each a vCPU of a domain of
 * its own with the profile `latency`, and the booster on the CPUs of its first argument. Prints one
 * line of JSON; pairs of 64-bit words go to a file: CPU of the victim, latency in ns.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/delays.h"
#include "stack.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "victims.h"

struct options {
	struct cpu_set_bits booster_cpus; /* empty: any */
	bool boosts;                      /* else nobody does */
	const char *ledger, *out;
	unsigned int cpus[VICTIMS_MAX]; /* of each victim */
	struct victims_options victims;
};

static int fail(const char *what, int error)
{
	fprintf(stderr, "bench-placement: %s: %s\n", what, strerror(error < 0 ? -error : error));
	return -1;
}

static int boosting_begin(const struct options *options, struct stack *stack,
                          const struct victims *victims)
{
	struct profile latency = PROFILE_LATENCY_INIT;
	int r;

	if (!options->boosts)
		return 0;
	if (stack_open(stack, options->ledger) < 0 || stack_trace(stack) < 0 ||
	    stack_start(stack, NULL) < 0)
		return -1;
	r = booster_set_cpus(stack->booster, &options->booster_cpus);
	if (r != 0)
		return fail("the booster's CPUs", r < 0 ? r : EINVAL);
	for (unsigned int i = 0; i < options->victims.n; i++)
		if (stack_add(stack, i, i, victims->results->tids[i], &latency) < 0)
			return -1;
	return 0;
}

static void boosting_print(const struct options *options, struct stack *stack, uint64_t since_ns)
{
	uint64_t boosts = 0, max_ns = 0, used_ns = 0, wakeups = 0, boosted = 0;
	double wall_ns = (double)(clock_now_ns() - since_ns);
	uint32_t counts[PVS_WAIT_BUCKETS] = {0};
	struct booster_totals totals;
	struct booster_vcpu vcpu;

	booster_read_totals(stack->booster, &totals);
	for (unsigned int i = 0; i < options->victims.n; i++) {
		booster_read(stack->booster, i, &vcpu);
		boosts += vcpu.view.boosts_total;
		used_ns += stack->accounts.vcpus[i].used_ns;
		wakeups += stack->accounts.vcpus[i].wakeups;
		boosted += stack->accounts.vcpus[i].wakeups_boosted;
		max_ns = MAX(max_ns, vcpu.request_to_applied.max_ns);
		for (size_t k = 0; k < PVS_WAIT_BUCKETS; k++)
			counts[k] += vcpu.request_to_applied.counts[k];
	}
	printf(",\"boosts\":%lu,\"booster_wakeups\":%lu,\"applied_count\":%lu,"
	       "\"applied_p50_us\":%lu,\"applied_p99_us\":%lu,\"applied_max_us\":%.1f",
	       boosts, totals.wakeups, delays_count(counts), delays_percentile_us(counts, 500),
	       delays_percentile_us(counts, 990), (double)max_ns / NSEC_PER_USEC);
	/* of each victim, and of the wake-ups of all */
	printf(",\"boosted_permille\":%.1f,\"wakeups_boosted_permille\":%.1f",
	       1000.0 * (double)used_ns / wall_ns / options->victims.n,
	       1000.0 * (double)boosted / (double)MAX(wakeups, UINT64_C(1)));
}

static int save(const struct options *options, const struct victims_results *results)
{
	CLEANUP(cleanup_file) FILE *file = fopen(options->out, "we");

	for (unsigned int i = 0; file && i < options->victims.n; i++)
		for (size_t k = 0; k < results->n[i]; k++) {
			uint64_t pair[] = {options->cpus[i], results->latency_ns[i][k]};

			if (fwrite(pair, sizeof(pair), 1, file) != 1)
				return fail(options->out, errno);
		}
	return file ? 0 : fail(options->out, errno);
}

static int measure(const struct options *options)
{
	struct victims victims = {0};
	struct stack stack = {0};
	uint64_t since_ns;
	int r = victims_start(&victims, &options->victims);

	if (r == 0)
		r = boosting_begin(options, &stack, &victims);
	since_ns = clock_now_ns();
	if (r == 0)
		r = victims_run(&victims);
	if (r == 0) {
		printf("{\"cpus\":%u,", options->victims.n);
		stamp_print(&victims.results->begin, &victims.results->end);
		if (stack.booster)
			boosting_print(options, &stack, since_ns);
		puts("}");
		r = save(options, victims.results);
	}
	for (unsigned int i = 0; stack.booster && i < options->victims.n; i++)
		stack_remove(&stack, i, victims.results->tids[i]);
	victims_end(&victims);
	stack_close(&stack);
	return r;
}

/* "none", "any", or a list. */
static bool parse_booster(const char *word, struct options *o)
{
	o->boosts = strcmp(word, "none") != 0;
	return !o->boosts || strcmp(word, "any") == 0 || cpulist_parse(word, &o->booster_cpus) == 0;
}

static bool parse(int argc, char **argv, struct options *o)
{
	struct cpu_set_bits mine;

	if (argc < 9 || !parse_booster(argv[1], o) || sched_get_cpus(0, &mine) < 0)
		return false;
	o->victims.duty.run_ns = (uint64_t)atol(argv[2]) * NSEC_PER_USEC;
	o->victims.duty.period_ns = (uint64_t)atol(argv[3]) * NSEC_PER_USEC;
	o->victims.warm_ns = (uint64_t)atol(argv[4]) * NSEC_PER_MSEC;
	o->victims.for_ns = (uint64_t)atol(argv[5]) * NSEC_PER_MSEC;
	o->ledger = argv[6];
	o->out = argv[7];
	o->victims.group = argv[8];
	for (int i = 9; i < argc && o->victims.spinners.n < SPINNERS_MAX; i++)
		o->victims.spinners.pids[o->victims.spinners.n++] = atoi(argv[i]);
	CPU_SET_BITS_FOREACH(cpu, &mine)
	if (o->victims.n < VICTIMS_MAX)
		o->cpus[o->victims.n++] = cpu;
	o->victims.cpus = o->cpus;
	return o->victims.duty.run_ns && o->victims.duty.period_ns && o->victims.for_ns;
}

int main(int argc, char **argv)
{
	static struct options given;

	if (!parse(argc, argv, &given)) {
		fputs("usage: bench-placement none|any|CPUS RUN_US PERIOD_US WARM_MS MS LEDGER "
		      "FILE PROCS_FILE [SPINNER_PID...]\n",
		      stderr);
		return 2;
	}
	return measure(&given) < 0 ? 1 : 0;
}
