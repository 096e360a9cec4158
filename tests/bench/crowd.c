// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bench-crowd SECONDS EASE LEDGER BOOSTER_PERMILLE: the crowd of tests/sim/crowd.h with real threads, the very
 * objects of the daemon, and the kernel. Prints one line of JSON with the same figures as sim
 * --crowd.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../sim/crowd.h"
#include "duty.h"
#include "stack.h"
#include "util/clock.h"

#define STACK_BYTES  65536
#define RTTIME_US    400000 /* on one CPU without a sleep: then the kernel ends all of this */
#define SAMPLES_MAX  65536  /* per thread */
#define SPINNERS_MAX 256

struct member {
	pthread_t thread;
	pid_t tid;
	struct duty duty;
	uint64_t starts_ns; /* after all are ready */
	struct duty_record record;
};

struct crowd {
	pthread_barrier_t ready, go, done;
	uint64_t warm_ns, for_ns;
	unsigned int ease;
	bool stop; /* for the spinners; atomic */
	unsigned int n_spinners;
	pthread_t spinners[SPINNERS_MAX];
	struct member members[CROWD_THREADS];
};

static struct crowd crowd;

static void *member_main(void *userdata)
{
	struct member *m = userdata;

	prctl(PR_SET_TIMERSLACK, 1UL);
	m->tid = (pid_t)syscall(SYS_gettid);
	pthread_barrier_wait(&crowd.ready);
	pthread_barrier_wait(&crowd.go);
	usleep((useconds_t)(m->starts_ns / NSEC_PER_USEC));
	duty_live(&m->duty, crowd.warm_ns, NULL);
	duty_live(&m->duty, crowd.for_ns, &m->record);
	pthread_barrier_wait(&crowd.done);
	return NULL;
}

static void *spinner_main(void *userdata)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((int)(intptr_t)userdata, &set);
	sched_setaffinity(0, sizeof(set), &set);
	while (!__atomic_load_n(&crowd.stop, __ATOMIC_RELAXED))
		;
	return NULL;
}

static int fail(const char *what, int error)
{
	fprintf(stderr, "bench-crowd: %s: %s\n", what, strerror(error));
	return -1;
}

static int members_start(void)
{
	pthread_attr_t attributes;
	int r = 0;

	pthread_barrier_init(&crowd.ready, NULL, CROWD_THREADS + 1);
	pthread_barrier_init(&crowd.go, NULL, CROWD_THREADS + 1);
	pthread_barrier_init(&crowd.done, NULL, CROWD_THREADS + 1);
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_BYTES);
	for (int i = 0; i < CROWD_THREADS && !r; i++) {
		struct member *m = &crowd.members[i];
		bool bursty = i % CROWD_BURSTY_EVERY == 0;
		uint64_t run_us = bursty ? CROWD_BURSTY_RUN_US : CROWD_QUIET_RUN_US;
		uint64_t period_us = bursty ? CROWD_BURSTY_PERIOD_US : CROWD_QUIET_PERIOD_US;

		period_us *= crowd.ease;

		m->duty.run_ns = run_us * NSEC_PER_USEC;
		m->duty.period_ns = period_us * NSEC_PER_USEC;
		m->starts_ns = (uint64_t)rand() % period_us * NSEC_PER_USEC;
		m->record.max = MIN(crowd.for_ns / m->duty.period_ns + 100, (uint64_t)SAMPLES_MAX);
		m->record.latency_ns = calloc(m->record.max, sizeof(uint64_t));
		r = m->record.latency_ns ? pthread_create(&m->thread, &attributes, member_main, m)
		                         : ENOMEM;
	}
	pthread_attr_destroy(&attributes);
	return r ? fail("a thread cannot be made", r) : 0;
}

/* One for each CPU that we may use. */
static int spinners_start(void)
{
	cpu_set_t set;
	int r = 0;

	sched_getaffinity(0, sizeof(set), &set);
	for (int cpu = 0; cpu < CPU_SETSIZE && crowd.n_spinners < SPINNERS_MAX && !r; cpu++) {
		if (!CPU_ISSET(cpu, &set))
			continue;
		r = pthread_create(&crowd.spinners[crowd.n_spinners], NULL, spinner_main,
		                   (void *)(intptr_t)cpu);
		crowd.n_spinners += r == 0;
	}
	return r ? fail("a spinner cannot be made", r) : 0;
}

struct counts {
	uint64_t at_ns, wakeups, boosts, unboosts, used_ns, booster_wakeups, busy_ns;
	uint64_t rt_ns, foreign_ns; /* of all CPUs, as the tracer counts it */
	uint64_t denied[_POLICY_REASON_MAX];
};

static uint64_t process_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

static void take(struct stack *stack, struct counts *ret)
{
	struct booster_totals totals;
	struct booster_vcpu vcpu;

	booster_read_totals(stack->booster, &totals);
	*ret = (struct counts){.at_ns = clock_now_ns(),
	                       .booster_wakeups = totals.wakeups,
	                       .busy_ns = process_ns()};
	for (unsigned int i = 0; i < PVS_CPUS_MAX; i++) {
		ret->rt_ns += stack->accounts.cpus[i].rt_run_ns;
		ret->foreign_ns += stack->accounts.cpus[i].foreign_ns;
	}
	for (unsigned int i = 0; i < CROWD_THREADS; i++) {
		booster_read(stack->booster, i, &vcpu);
		ret->wakeups += stack->accounts.vcpus[i].wakeups;
		ret->used_ns += stack->accounts.vcpus[i].used_ns;
		ret->boosts += vcpu.view.boosts_total;
		for (int reason = 0; reason < _POLICY_REASON_MAX; reason++)
			ret->denied[reason] += vcpu.view.denied_total[reason];
		ret->unboosts += vcpu.view.boosts_total - (vcpu.view.state == POLICY_ARMED ? 1 : 0);
	}
}

static int by_size(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void print_latencies(void)
{
	uint64_t *all, sum_ns = 0;
	size_t n = 0, used = 0;

	for (int i = 0; i < CROWD_THREADS; i++)
		n += crowd.members[i].record.n;
	all = calloc(n + 1, sizeof(*all));
	for (int i = 0; all && i < CROWD_THREADS; i++)
		for (size_t k = 0; k < crowd.members[i].record.n; k++)
			all[used++] = crowd.members[i].record.latency_ns[k];
	if (!used) {
		puts("}");
		free(all);
		return;
	}
	qsort(all, used, sizeof(*all), by_size);
	for (size_t i = 0; i < used; i++)
		sum_ns += all[i];
	printf(",\"avg_us\":%.2f,\"p50_us\":%.2f,\"p99_us\":%.2f}\n",
	       (double)sum_ns / (double)used / 1000, (double)all[used / 2] / 1000,
	       (double)all[used * 99 / 100] / 1000);
	free(all);
}

static void print_counts(const struct counts *from, const struct counts *to)
{
	double seconds = (double)(to->at_ns - from->at_ns) / NSEC_PER_SEC;
	double wakeups = (double)(to->wakeups - from->wakeups);
	double calls = (double)(to->boosts - from->boosts + to->unboosts - from->unboosts);
	double busy = (double)(to->busy_ns - from->busy_ns) / seconds / NSEC_PER_SEC * 1000;

	printf("{\"threads\":%d,\"cpus\":%u,\"seconds\":%.3f,\"wakeups_per_s\":%.1f,",
	       CROWD_THREADS, crowd.n_spinners, seconds, wakeups / seconds);
	printf("\"boosted_permille\":%.2f,\"boosts_per_s\":%.2f,\"calls_per_1000\":%.2f,",
	       (double)(to->used_ns - from->used_ns) / seconds / NSEC_PER_SEC * 1000 /
	               crowd.n_spinners,
	       (double)(to->boosts - from->boosts) / seconds, calls / wakeups * 1000);
	printf("\"booster_wakeups_per_s\":%.1f,\"cpu_permille\":%.1f",
	       (double)(to->booster_wakeups - from->booster_wakeups) / seconds,
	       busy / crowd.n_spinners);
	printf(",\"rt_permille\":%.2f,\"foreign_rt_permille\":%.2f",
	       (double)(to->rt_ns - from->rt_ns) / seconds / NSEC_PER_SEC * 1000 / crowd.n_spinners,
	       (double)(to->foreign_ns - from->foreign_ns) / seconds / NSEC_PER_SEC * 1000 /
	               crowd.n_spinners);
	for (int reason = 0; reason < _POLICY_REASON_MAX; reason++)
		if (to->denied[reason] > from->denied[reason])
			printf(",\"denied_%s_per_s\":%.1f",
			       policy_reason_name((enum policy_reason)reason),
			       (double)(to->denied[reason] - from->denied[reason]) / seconds);
}

static int crowd_add(struct stack *stack)
{
	struct profile latency = PROFILE_LATENCY_INIT;

	for (unsigned int i = 0; i < CROWD_THREADS; i++)
		if (stack_add(stack, i, i / CROWD_PER_DOMAIN, crowd.members[i].tid, &latency) < 0)
			return -1;
	return 0;
}

/* The figures are of the time between the stamps, in which all members live as their duty says. */
static void measure(struct stack *stack)
{
	struct counts from, to;

	pthread_barrier_wait(&crowd.go);
	usleep((useconds_t)(crowd.warm_ns / NSEC_PER_USEC));
	take(stack, &from);
	usleep((useconds_t)(crowd.for_ns / NSEC_PER_USEC));
	take(stack, &to);
	pthread_barrier_wait(&crowd.done);
	print_counts(&from, &to);
	print_latencies();
}

/* All are as they were; whoever is not is told of. */
static int crowd_remove(struct stack *stack)
{
	int left = 0;

	for (unsigned int i = 0; i < CROWD_THREADS; i++)
		stack_remove(stack, i, crowd.members[i].tid);
	for (unsigned int i = 0; i < CROWD_THREADS; i++)
		left += sched_getscheduler(crowd.members[i].tid) > SCHED_OTHER;
	if (left)
		fprintf(stderr, "bench-crowd: %d threads are still real-time\n", left);
	return left ? -1 : 0;
}

static int run(const char *ledger, uint32_t booster_permille)
{
	struct stack stack = {0};
	int r;

	if (stack_open(&stack, ledger) < 0)
		return 1;
	stack.caps.booster_permille = booster_permille;
	if (stack_trace(&stack) < 0 || stack_start(&stack, NULL) < 0)
		return 1;
	if (members_start() < 0)
		_exit(1);
	pthread_barrier_wait(&crowd.ready);
	r = crowd_add(&stack);
	if (r == 0)
		r = spinners_start();
	if (r == 0)
		measure(&stack);
	__atomic_store_n(&crowd.stop, true, __ATOMIC_RELAXED);
	r |= crowd_remove(&stack);
	stack_close(&stack);
	return r ? 1 : 0;
}

int main(int argc, char **argv)
{
	struct rlimit limit = {RTTIME_US, RTTIME_US};
	int seconds = argc == 5 ? atoi(argv[1]) : 0, ease = argc == 5 ? atoi(argv[2]) : 0;
	int booster_permille = argc == 5 ? atoi(argv[4]) : 0;

	if (seconds < 1 || ease < 1 || booster_permille < 1) {
		fputs("usage: bench-crowd SECONDS EASE LEDGER BOOSTER_PERMILLE\n", stderr);
		return 2;
	}
	setrlimit(RLIMIT_RTTIME, &limit);
	crowd.warm_ns = CROWD_WARM_MS * NSEC_PER_MSEC;
	crowd.for_ns = (uint64_t)seconds * NSEC_PER_SEC;
	crowd.ease = (unsigned int)ease;
	return run(argv[3], (uint32_t)booster_permille);
}
