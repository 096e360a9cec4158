// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One measurement of tests/bench/run placement: a victim on every CPU, each a vCPU of a domain of
 * its own with the profile `latency`, and the booster on the CPUs of its first argument. Prints one
 * line of JSON; pairs of 64-bit words go to a file: CPU of the victim, latency in ns.
 *
 * The victims are a process of their own, for the reasons that victim.c has.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "duty.h"
#include "metrics/delays.h"
#include "stack.h"
#include "stamp.h"
#include "util/cleanup.h"
#include "util/clock.h"

#define VICTIMS_MAX 64
#define SAMPLES_MAX (1U << 16) /* of each victim */
#define RTTIME_US   400000     /* on one CPU without a sleep: then the kernel ends the victims */

struct options {
	struct cpu_set_bits booster_cpus; /* empty: any */
	bool boosts;                      /* else nobody does */
	struct duty duty;
	uint64_t warm_ns, for_ns;
	const char *ledger, *out, *group;
	struct spinners spinners;
	unsigned int n_victims;
	unsigned int cpus[VICTIMS_MAX]; /* of each */
};

/* Shared with the victims' process. */
struct results {
	struct stamp begin, end;
	pid_t tids[VICTIMS_MAX];
	size_t n[VICTIMS_MAX];
	uint64_t latency_ns[VICTIMS_MAX][SAMPLES_MAX];
};

static const struct options *options;
static struct results *results;
static pthread_barrier_t ready, go, done; /* of the victims' process */

static int fail(const char *what, int error)
{
	fprintf(stderr, "bench-placement: %s: %s\n", what, strerror(error < 0 ? -error : error));
	return -1;
}

static void *victim_main(void *userdata)
{
	size_t i = (size_t)(uintptr_t)userdata;
	struct duty_record record = {.latency_ns = results->latency_ns[i], .max = SAMPLES_MAX};
	struct cpu_set_bits here = CPU_SET_BITS_NULL, missing;

	cpu_set_bits_add(&here, options->cpus[i]);
	if (sched_set_cpus(0, &here, &missing) != 0)
		_exit(1);
	prctl(PR_SET_TIMERSLACK, 1UL);
	memset(record.latency_ns, 0, sizeof(results->latency_ns[i])); /* no fault later */
	results->tids[i] = (pid_t)syscall(SYS_gettid);
	pthread_barrier_wait(&ready);
	pthread_barrier_wait(&go);
	duty_live(&options->duty, options->warm_ns, NULL);
	/* one of them for all: whoever else did it would have to be scheduled first */
	if (i == 0)
		stamp_take(&options->spinners, &results->begin);
	duty_live(&options->duty, options->for_ns, &record);
	if (i == 0)
		stamp_take(&options->spinners, &results->end);
	results->n[i] = record.n;
	pthread_barrier_wait(&done);
	return NULL;
}

/* The victims' process: says when they are ready, waits for the word, says when they are done. */
static void victims(int go_fd, int done_fd)
{
	struct rlimit limit = {RTTIME_US, RTTIME_US};
	unsigned int n = options->n_victims;
	pthread_t thread;
	char byte = 0;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setrlimit(RLIMIT_RTTIME, &limit);
	pthread_barrier_init(&ready, NULL, n + 1);
	pthread_barrier_init(&go, NULL, n + 1);
	pthread_barrier_init(&done, NULL, n + 1);
	for (size_t i = 0; i < n; i++)
		if (pthread_create(&thread, NULL, victim_main, (void *)(uintptr_t)i))
			_exit(1);
	pthread_barrier_wait(&ready);
	mlockall(MCL_CURRENT);
	if (write(done_fd, &byte, 1) != 1 || read(go_fd, &byte, 1) != 1)
		_exit(1);
	pthread_barrier_wait(&go);
	pthread_barrier_wait(&done);
	if (write(done_fd, &byte, 1) != 1 || read(go_fd, &byte, 1) != 1)
		_exit(1);
	_exit(0);
}

static int boosting_begin(struct stack *stack)
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
	for (unsigned int i = 0; i < options->n_victims; i++)
		if (stack_add(stack, i, i, results->tids[i], &latency) < 0)
			return -1;
	return 0;
}

static void boosting_print(struct stack *stack, uint64_t since_ns)
{
	uint64_t boosts = 0, max_ns = 0, used_ns = 0, wakeups = 0, elevated = 0;
	double wall_ns = (double)(clock_now_ns() - since_ns);
	uint32_t counts[PVS_WAIT_BUCKETS] = {0};
	struct booster_totals totals;
	struct booster_vcpu vcpu;

	booster_read_totals(stack->booster, &totals);
	for (unsigned int i = 0; i < options->n_victims; i++) {
		booster_read(stack->booster, i, &vcpu);
		boosts += vcpu.view.boosts_total;
		used_ns += stack->accounts.vcpus[i].used_ns;
		wakeups += stack->accounts.vcpus[i].wakeups;
		elevated += stack->accounts.vcpus[i].wakeups_elevated;
		max_ns = MAX(max_ns, vcpu.request_to_applied.max_ns);
		for (size_t k = 0; k < PVS_WAIT_BUCKETS; k++)
			counts[k] += vcpu.request_to_applied.counts[k];
	}
	printf(",\"boosts\":%lu,\"booster_wakeups\":%lu,\"applied_count\":%lu,"
	       "\"applied_p50_us\":%lu,\"applied_p99_us\":%lu,\"applied_max_us\":%.1f",
	       boosts, totals.wakeups, delays_count(counts), delays_percentile_us(counts, 500),
	       delays_percentile_us(counts, 990), (double)max_ns / NSEC_PER_USEC);
	/* of each victim, and of the wake-ups of all */
	printf(",\"elevated_permille\":%.1f,\"wakeups_elevated_permille\":%.1f",
	       1000.0 * (double)used_ns / wall_ns / options->n_victims,
	       1000.0 * (double)elevated / (double)MAX(wakeups, UINT64_C(1)));
}

static int save(void)
{
	CLEANUP(cleanup_file) FILE *file = fopen(options->out, "we");

	for (unsigned int i = 0; file && i < options->n_victims; i++)
		for (size_t k = 0; k < results->n[i]; k++) {
			uint64_t pair[] = {options->cpus[i], results->latency_ns[i][k]};

			if (fwrite(pair, sizeof(pair), 1, file) != 1)
				return fail(options->out, errno);
		}
	return file ? 0 : fail(options->out, errno);
}

static int group_enter(pid_t pid)
{
	CLEANUP(cleanup_file) FILE *file = fopen(options->group, "we");

	if (!file || fprintf(file, "%d", pid) < 0 || fflush(file) != 0)
		return fail(options->group, errno);
	return 0;
}

static int measure(void)
{
	struct stack stack = {0};
	int go_fds[2], done_fds[2], r;
	uint64_t since_ns;
	char byte = 0;
	pid_t pid;

	if (pipe(go_fds) < 0 || pipe(done_fds) < 0)
		return fail("pipes", errno);
	pid = fork();
	if (pid < 0)
		return fail("fork", errno);
	if (pid == 0) {
		close(go_fds[1]);
		close(done_fds[0]);
		victims(go_fds[0], done_fds[1]);
	}
	close(done_fds[1]);
	r = group_enter(pid);
	if (r == 0 && read(done_fds[0], &byte, 1) != 1)
		r = fail("the victims do not start", ESRCH);
	if (r == 0)
		r = boosting_begin(&stack);
	since_ns = clock_now_ns();
	if (r == 0 && (write(go_fds[1], &byte, 1) != 1 || read(done_fds[0], &byte, 1) != 1))
		r = fail("the victims died: the real-time limit of 400 ms, or a signal", ESRCH);
	if (r == 0) {
		printf("{\"cpus\":%u,", options->n_victims);
		stamp_print(&results->begin, &results->end);
		if (stack.booster)
			boosting_print(&stack, since_ns);
		puts("}");
		r = save();
	}
	for (unsigned int i = 0; stack.booster && i < options->n_victims; i++)
		stack_remove(&stack, i, results->tids[i]);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
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
	o->duty.run_ns = (uint64_t)atol(argv[2]) * NSEC_PER_USEC;
	o->duty.period_ns = (uint64_t)atol(argv[3]) * NSEC_PER_USEC;
	o->warm_ns = (uint64_t)atol(argv[4]) * NSEC_PER_MSEC;
	o->for_ns = (uint64_t)atol(argv[5]) * NSEC_PER_MSEC;
	o->ledger = argv[6];
	o->out = argv[7];
	o->group = argv[8];
	for (int i = 9; i < argc && o->spinners.n < SPINNERS_MAX; i++)
		o->spinners.pids[o->spinners.n++] = atoi(argv[i]);
	CPU_SET_BITS_FOREACH(cpu, &mine)
	if (o->n_victims < VICTIMS_MAX)
		o->cpus[o->n_victims++] = cpu;
	return o->duty.run_ns && o->duty.period_ns && o->for_ns;
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
	options = &given;
	results = mmap(NULL, sizeof(*results), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
	               -1, 0);
	if (results == MAP_FAILED)
		return fail("memory", errno) ? 1 : 0;
	return measure() < 0 ? 1 : 0;
}
