// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a boost cycle costs the booster: boosts and unboosts sleeping threads at a given rate and
 * prints the booster thread's CPU time, as one line of JSON. The rates are those of tests/bench/run
 * overhead.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fire.h"
#include "sleepers.h"
#include "stack.h"
#include "util/clock.h"
#include "util/procfs.h"

#define SLEEPERS 20 /* each has its turn every twentieth cycle */

static int drain(void *source, booster_event_fn *fn, void *userdata)
{
	fire_drain(source, fn, userdata);
	return 0;
}

static pid_t booster_tid(void)
{
	pid_t tids[SLEEPERS + 16];
	struct procfs_stat stat;
	size_t n = 0, overflow;

	procfs_list_threads(getpid(), tids, ARRAY_SIZE(tids), &n, &overflow);
	for (size_t i = 0; i < n; i++)
		if (procfs_stat(getpid(), tids[i], &stat) == 0 && strcmp(stat.comm, "booster") == 0)
			return tids[i];
	return 0;
}

static uint64_t run_ns(pid_t tid)
{
	char path[64], text[128];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/task/%d/schedstat", tid);
	n = procfs_read_file(path, text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = '\0';
	return strtoull(text, NULL, 10);
}

static void sleep_until(uint64_t at_ns)
{
	struct timespec ts = {(time_t)(at_ns / NSEC_PER_SEC), (long)(at_ns % NSEC_PER_SEC)};

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
}

/* Boosts one and unboosts the one half a turn away: each is boosted for ten cycles. */
static void cycle(struct stack *stack, struct fire *fire, unsigned int i)
{
	unsigned int up = i % SLEEPERS, down = (i + SLEEPERS / 2) % SLEEPERS;

	__atomic_store_n(&stack->accounts.vcpus[up].out, PVS_OUT_HALTED, __ATOMIC_RELEASE);
	fire_at_once(fire, PVS_EVENT_HALTED, up, 1);
	__atomic_store_n(&stack->accounts.vcpus[down].out, PVS_OUT_PREEMPTED, __ATOMIC_RELEASE);
	fire_at_once(fire, PVS_EVENT_EXHAUSTED, down, 1);
}

static uint64_t boosts(struct stack *stack)
{
	struct booster_vcpu vcpu;
	uint64_t n = 0;

	for (unsigned int i = 0; i < SLEEPERS; i++) {
		booster_read(stack->booster, i, &vcpu);
		n += vcpu.view.boosts_total;
	}
	return n;
}

static void measure(struct stack *stack, struct fire *fire, unsigned int per_s,
                    unsigned int seconds)
{
	pid_t tid = booster_tid();
	uint64_t begin_ns, end_ns, at_ns, cpu_ns, before = boosts(stack), n;

	cpu_ns = run_ns(tid);
	begin_ns = at_ns = clock_now_ns();
	for (unsigned int i = 0; i < per_s * seconds; i++) {
		at_ns += NSEC_PER_SEC / per_s;
		sleep_until(at_ns);
		cycle(stack, fire, i);
	}
	end_ns = clock_now_ns();
	cpu_ns = run_ns(tid) - cpu_ns;
	n = boosts(stack) - before;
	printf("{\"asked_per_s\":%u,\"boosts_per_s\":%.0f,\"booster_cpu_permille\":%.3f,"
	       "\"us_per_cycle\":%.3f}\n",
	       per_s, (double)n * 1e9 / (double)(end_ns - begin_ns),
	       (double)cpu_ns * 1000 / (double)(end_ns - begin_ns),
	       (double)cpu_ns / 1e3 / (double)(n ?: 1));
}

static int prepare(struct stack *stack, struct fire *fire, struct sleepers *sleepers,
                   const char *ledger, enum booster_wait wait)
{
	static struct pvs_bucket_rule cpu_rule = {3 * NSEC_PER_MSEC, 300, 0};
	struct profile profile = {"bench", PROFILE_BOOST, 1000, PROFILE_BURST_NS_MIN};
	struct booster_source source = {fire_fd(fire), drain, fire};

	if (stack_open(stack, ledger) < 0)
		return -1;
	stack->caps.max_changes_per_s = 100000;
	stack->caps.booster_permille = 1000; /* each is to be heard */
	stack->wait = wait;
	stack->accounts = (struct accounts){
	        calloc(PVS_VCPUS_MAX, sizeof(struct pvs_vcpu_account)),
	        calloc(PVS_DOMAINS_MAX, sizeof(struct pvs_domain_account)),
	        calloc(PVS_CPUS_MAX, sizeof(struct pvs_cpu_account)),
	        &cpu_rule,
	};
	if (!stack->accounts.vcpus || !stack->accounts.domains || !stack->accounts.cpus)
		return -1;
	account_set_sheets(&stack->accounts, NSEC_PER_SEC);
	if (stack_start(stack, &source) < 0)
		return -1;
	for (unsigned int i = 0; i < SLEEPERS; i++) {
		fire_set_tid(fire, i, sleepers->tids[i]);
		if (stack_add(stack, i, i, sleepers->tids[i], &profile) < 0)
			return -1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct sleepers sleepers;
	struct stack stack = {0};
	enum booster_wait wait;
	struct fire *fire;
	int r;

	if (argc != 5 || atoi(argv[1]) < 1 || atoi(argv[2]) < 1 ||
	    !stack_wait_by_name(argv[4], &wait)) {
		fputs("usage: bench-cycles PER_SECOND SECONDS LEDGER epoll|io_uring\n", stderr);
		return 2;
	}
	fire = fire_new();
	if (!fire || sleepers_start(&sleepers, SLEEPERS) < 0)
		return 1;
	r = prepare(&stack, fire, &sleepers, argv[3], wait);
	if (r == 0)
		measure(&stack, fire, (unsigned int)atoi(argv[1]), (unsigned int)atoi(argv[2]));
	if (stack.booster)
		for (unsigned int i = 0; i < SLEEPERS; i++)
			stack_remove(&stack, i, sleepers.tids[i]);
	stack_close(&stack);
	sleepers_stop(&sleepers);
	fire_free(fire);
	return r < 0 ? 1 : 0;
}
