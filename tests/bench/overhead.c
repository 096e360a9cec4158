// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Measurements of tests/bench/run overhead; prints one line of JSON.
 *
 *   pingpong untraced|empty|traced|leased CPU MS FILE
 *     round trips, as 32-bit words in ns; leased: what runs while a vCPU waits is traced, too
 *   stats bystanders|registered|leased CPU MS
 *     ns per run of each BPF program, by the kernel's statistics; of a ping-pong that is not
 *     registered, or half of which is, or whose waits are traced, too
 *   idle MS LEDGER
 *     wake-ups of the booster: with nothing registered, with vCPUs that are armed and sleep, and
 *     with armed ones that wake 100 times a second
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fire.h"
#include "pingpong.h"
#include "progs.h"
#include "sleepers.h"
#include "stack.h"
#include "trace/blockers.h"
#include "util/cleanup.h"
#include "util/clock.h"

#define ROUND_TRIPS_MAX (8U << 20)
#define IDLE_VCPUS      8
#define WAKE_HZ         100

static int fail(const char *what, int error)
{
	fprintf(stderr, "bench-overhead: %s: %s\n", what, strerror(error < 0 ? -error : error));
	return 1;
}

static struct tracer *trace(void)
{
	struct pvs_bucket_rule rule = {3 * NSEC_PER_MSEC, 300, 0};
	struct tracer *tracer = NULL;
	char why[512];

	if (tracer_new(&tracer, &rule, why, sizeof(why)) < 0)
		fprintf(stderr, "bench-overhead: %s\n", why);
	return tracer;
}

static int pingpong(const char *variant, unsigned int cpu, unsigned int ms, const char *path)
{
	CLEANUP(cleanup_file) FILE *file = fopen(path, "we");
	CLEANUP(cleanup_free) uint32_t *ns = calloc(ROUND_TRIPS_MAX, sizeof(*ns));
	struct tracer *tracer = NULL;
	struct fire *fire = NULL;
	ssize_t n;

	if (!file || !ns)
		return fail(path, errno);
	if (strcmp(variant, "empty") == 0) {
		fire = fire_new();
		if (!fire || fire_attach_empty(fire) < 0)
			return fail("empty programs", errno);
	}
	if (strcmp(variant, "traced") == 0 || strcmp(variant, "leased") == 0) {
		tracer = trace();
		/* somebody is registered, as on any host this runs on: our main thread's parent
		 * will do */
		if (!tracer || tracer_register(tracer, 0, getppid()) < 0)
			return 1;
		if (strcmp(variant, "leased") == 0 && tracer_trace_waits(tracer, getppid()) < 0)
			return 1;
	}
	pingpong_run(cpu, 50 * NSEC_PER_MSEC, ns, ROUND_TRIPS_MAX, NULL, NULL); /* warm */
	n = pingpong_run(cpu, ms * NSEC_PER_MSEC, ns, ROUND_TRIPS_MAX, NULL, NULL);
	tracer_free(tracer);
	fire_free(fire);
	if (n < 0)
		return fail("ping-pong", (int)n);
	if (fwrite(ns, sizeof(*ns), (size_t)n, file) != (size_t)n)
		return fail(path, errno);
	printf("{\"round_trips\":%zd}\n", n);
	return 0;
}

static void register_answerer(void *userdata, pid_t tid)
{
	struct tracer *tracer = userdata;

	tracer_vcpus(tracer)[0].tid = (uint32_t)tid;
	tracer_vcpus(tracer)[0].rule = (struct pvs_bucket_rule){500 * NSEC_PER_USEC, 200, 0};
	tracer_vcpus(tracer)[0].flags = PVS_FLAG_IMAGINED; /* observe */
	tracer_register(tracer, 0, tid);
}

static void lease_answerer(void *userdata, pid_t tid)
{
	register_answerer(userdata, tid);
	tracer_trace_waits(userdata, tid);
}

static int stats(const char *who, unsigned int cpu, unsigned int ms)
{
	CLEANUP(cleanup_free) uint32_t *ns = calloc(ROUND_TRIPS_MAX, sizeof(*ns));
	uint32_t before = progs_last_id();
	struct tracer *tracer = trace();
	struct prog progs[PROGS_MAX];
	const char *comma = "";
	size_t n;
	int fd;

	if (!tracer || !ns)
		return 1;
	fd = progs_enable_stats();
	if (fd < 0)
		return fail("the kernel's BPF statistics", fd);
	pingpong_run(cpu, ms * NSEC_PER_MSEC, ns, ROUND_TRIPS_MAX,
	             strcmp(who, "registered") == 0 ? register_answerer
	             : strcmp(who, "leased") == 0   ? lease_answerer
	                                            : NULL,
	             tracer);
	n = progs_read(before, progs);
	close(fd);
	tracer_free(tracer);
	printf("{");
	for (size_t i = 0; i < n; i++) {
		if (!progs[i].runs)
			continue;
		printf("%s\"%s\":{\"runs\":%lu,\"ns_per_run\":%.1f}", comma, progs[i].name,
		       progs[i].runs, (double)progs[i].run_ns / (double)progs[i].runs);
		comma = ",";
	}
	puts("}");
	return 0;
}

/* Wake-ups of the booster per second during @ms. */
static double wakeups(struct stack *stack, unsigned int ms, struct sleepers *poked)
{
	struct booster_totals before, after;
	uint64_t end_ns;

	booster_read_totals(stack->booster, &before);
	end_ns = clock_now_ns() + ms * NSEC_PER_MSEC;
	while (clock_now_ns() < end_ns) {
		usleep(1000000 / WAKE_HZ);
		if (poked)
			sleepers_poke(poked);
	}
	booster_read_totals(stack->booster, &after);
	return (double)(after.wakeups - before.wakeups) * 1000 / ms;
}

static unsigned int armed(struct stack *stack)
{
	struct booster_totals totals;

	booster_read_totals(stack->booster, &totals);
	return totals.boosted;
}

/* Why each is as it is: one that is not armed makes the figures mean something else. */
static void reasons_read(struct stack *stack, char (*ret)[24])
{
	struct booster_vcpu vcpu;

	for (unsigned int i = 0; i < IDLE_VCPUS; i++) {
		booster_read(stack->booster, i, &vcpu);
		snprintf(ret[i], sizeof(ret[i]), "%s", policy_reason_name(vcpu.view.reason));
	}
}

static int idle(unsigned int ms, const char *ledger)
{
	struct profile profile = PROFILE_LATENCY_INIT;
	struct sleepers sleepers;
	struct stack stack = {0};
	char reasons[IDLE_VCPUS][24];
	double none, asleep, awake;
	unsigned int n_armed;

	if (sleepers_start(&sleepers, IDLE_VCPUS) < 0)
		return 1;
	if (stack_open(&stack, ledger) < 0 || stack_trace(&stack) < 0 ||
	    stack_start(&stack, NULL) < 0)
		return 1;
	none = wakeups(&stack, ms, NULL);
	for (unsigned int i = 0; i < IDLE_VCPUS; i++)
		if (stack_add(&stack, i, i, sleepers.tids[i], &profile) < 0)
			return 1;
	for (int i = 0; i < 20; i++) { /* armed at a halt: so they must halt */
		sleepers_poke(&sleepers);
		usleep(20000);
	}
	n_armed = armed(&stack);
	reasons_read(&stack, reasons);
	asleep = wakeups(&stack, ms, NULL);
	awake = wakeups(&stack, ms, &sleepers);
	printf("{\"vcpus\":%d,\"armed\":%u,\"reasons\":[", IDLE_VCPUS, n_armed);
	for (unsigned int i = 0; i < IDLE_VCPUS; i++)
		printf("%s\"%s\"", i ? "," : "", reasons[i]);
	printf("],\"booster_wakeups_per_s\":{\"none_registered\":%.2f,\"armed_and_asleep\":%.2f,"
	       "\"armed_and_woken_at_100_hz\":%.2f}}\n",
	       none, asleep, awake);
	for (unsigned int i = 0; i < IDLE_VCPUS; i++)
		stack_remove(&stack, i, sleepers.tids[i]);
	stack_close(&stack);
	sleepers_stop(&sleepers);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 6 && strcmp(argv[1], "pingpong") == 0)
		return pingpong(argv[2], (unsigned int)atoi(argv[3]), (unsigned int)atoi(argv[4]),
		                argv[5]);
	if (argc == 5 && strcmp(argv[1], "stats") == 0)
		return stats(argv[2], (unsigned int)atoi(argv[3]), (unsigned int)atoi(argv[4]));
	if (argc == 4 && strcmp(argv[1], "idle") == 0)
		return idle((unsigned int)atoi(argv[2]), argv[3]);
	fputs("usage: see the head of tests/bench/overhead.c\n", stderr);
	return 2;
}
