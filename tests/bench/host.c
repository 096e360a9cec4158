// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One measurement of tests/bench/run host: several victims, vCPUs of domains of some each, under
 * one variant of scheduling. Prints one line of JSON; their latencies go to a file as 64-bit words,
 * in ns.
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "policy/admission.h"
#include "stack.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "victims.h"

struct options {
	const char *variant, *ledger, *out;
	unsigned int per_domain;
	struct victims_options victims;
};

static int fail(const char *what, int error)
{
	fprintf(stderr, "bench-host: %s: %s\n", what, strerror(error < 0 ? -error : error));
	return -1;
}

static bool same_set(unsigned int inner, unsigned int outer, const void *userdata)
{
	(void)userdata;
	return inner == outer;
}

/* What the daemon would give each of so many that may run anywhere. */
static uint32_t admitted_permille(const struct options *o, const struct profile *profile,
                                  const struct stack *stack)
{
	struct admission_demand claims[VICTIMS_MAX];
	unsigned int cpus = (unsigned int)sysconf(_SC_NPROCESSORS_ONLN);
	struct admission_sets sets = {.n = 1, .cpus = &cpus, .within = same_set};
	uint64_t share_ppm = UINT64_MAX, sum_ppm;
	struct admission_domains domains = {1, &share_ppm, &sum_ppm};

	for (unsigned int i = 0; i < o->victims.n; i++)
		claims[i] = (struct admission_demand){.share_ppm = profile->share_permille * 1000};
	admission_scale(claims, o->victims.n, &sets, &domains, stack->caps.cpu_share_permille);
	return claims[0].share_ppm / 1000;
}

static int boost(const struct options *o, struct stack *stack, const struct victims *victims,
                 struct profile profile)
{
	if (stack_open(stack, o->ledger) < 0 || stack_trace(stack) < 0 ||
	    stack_start(stack, NULL) < 0)
		return -1;
	profile.share_permille = admitted_permille(o, &profile, stack);
	for (unsigned int i = 0; i < o->victims.n; i++)
		if (stack_add(stack, i, i / o->per_domain, victims->results->tids[i], &profile) < 0)
			return -1;
	return 0;
}

static int variant_apply(const struct options *o, struct stack *stack,
                         const struct victims *victims)
{
	struct profile latency = PROFILE_LATENCY_INIT, interactive = PROFILE_INTERACTIVE_INIT;
	struct sched_boost fifo = {SCHED_FIFO, STACK_PRIORITY};
	int r = 0;

	if (strcmp(o->variant, "latency") == 0)
		return boost(o, stack, victims, latency);
	if (strcmp(o->variant, "interactive") == 0)
		return boost(o, stack, victims, interactive);
	if (strcmp(o->variant, "untouched") == 0)
		return 0;
	if (strcmp(o->variant, "static") != 0)
		return fail(o->variant, EINVAL);
	for (unsigned int i = 0; i < o->victims.n && r == 0; i++)
		r = sched_give_boost(victims->results->tids[i], &fifo);
	return r < 0 ? fail("FIFO for the victims", r) : 0;
}

static void print_boosts(const struct options *o, const struct stack *stack, uint64_t since_ns)
{
	uint64_t wakeups = 0, used_ns = 0, calls = 0;
	struct booster_vcpu vcpu;

	for (unsigned int i = 0; i < o->victims.n; i++) {
		const struct pvs_vcpu_account *a = &stack->accounts.vcpus[i];

		booster_read(stack->booster, i, &vcpu);
		wakeups += a->wakeups;
		used_ns += a->used_ns;
		calls += 2 * vcpu.view.boosts_total - (vcpu.view.state == POLICY_ARMED ? 1 : 0);
	}
	printf(",\"calls_per_1000\":%.3f,\"boosted_permille\":%.2f",
	       1000.0 * (double)calls / (double)(wakeups ?: 1),
	       1000.0 * (double)used_ns / (double)(clock_now_ns() - since_ns));
}

static int save(const struct options *o, const struct victims_results *results)
{
	CLEANUP(cleanup_file) FILE *file = fopen(o->out, "we");

	for (unsigned int i = 0; file && i < o->victims.n; i++)
		if (fwrite(results->latency_ns[i], sizeof(uint64_t), results->n[i], file) !=
		    results->n[i])
			return fail(o->out, errno);
	return file ? 0 : fail(o->out, errno);
}

static int measure(const struct options *o)
{
	struct victims victims = {0};
	struct stack stack = {0};
	uint64_t since_ns;
	int r = victims_start(&victims, &o->victims);

	if (r == 0)
		r = variant_apply(o, &stack, &victims);
	since_ns = clock_now_ns();
	if (r == 0)
		r = victims_run(&victims);
	if (r == 0) {
		const struct victims_results *results = victims.results;
		double seconds = (double)(results->end.at_ns - results->begin.at_ns) / NSEC_PER_SEC;

		printf("{\"migrations_per_s\":%.1f,", (double)results->migrations / seconds);
		stamp_print(&results->begin, &results->end);
		if (stack.booster)
			print_boosts(o, &stack, since_ns);
		puts("}");
		r = save(o, results);
	}
	for (unsigned int i = 0; stack.booster && i < o->victims.n; i++)
		stack_remove(&stack, i, victims.results->tids[i]);
	victims_end(&victims);
	stack_close(&stack);
	return r;
}

static bool parse(int argc, char **argv, struct options *o)
{
	struct victims_options *v = &o->victims;

	if (argc < 12)
		return false;
	o->variant = argv[1];
	v->n = (unsigned int)atoi(argv[2]);
	o->per_domain = (unsigned int)atoi(argv[3]);
	v->duty.run_ns = (uint64_t)atol(argv[4]) * NSEC_PER_USEC;
	v->duty.period_ns = (uint64_t)atol(argv[5]) * NSEC_PER_USEC;
	v->duty.sleep_ns = (uint64_t)atol(argv[6]) * NSEC_PER_USEC;
	v->warm_ns = (uint64_t)atol(argv[7]) * NSEC_PER_MSEC;
	v->for_ns = (uint64_t)atol(argv[8]) * NSEC_PER_MSEC;
	o->ledger = argv[9];
	o->out = argv[10];
	v->group = argv[11];
	v->spread = true;
	for (int i = 12; i < argc && v->spinners.n < SPINNERS_MAX; i++)
		v->spinners.pids[v->spinners.n++] = atoi(argv[i]);
	return v->n > 0 && v->n <= VICTIMS_MAX && o->per_domain > 0 && v->duty.run_ns &&
	       v->for_ns && (v->duty.period_ns || v->duty.sleep_ns);
}

int main(int argc, char **argv)
{
	static struct options options;

	if (!parse(argc, argv, &options)) {
		fputs("usage: bench-host VARIANT VICTIMS PER_DOMAIN RUN_US PERIOD_US SLEEP_US "
		      "WARM_MS MS LEDGER FILE PROCS_FILE [SPINNER_PID...]\n",
		      stderr);
		return 2;
	}
	return measure(&options) < 0 ? 1 : 0;
}
