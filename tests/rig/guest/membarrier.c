/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * A program that waits for all its CPUs: membarrier() returns when each CPU that runs a thread of
 * the program has served an interrupt. One thread calls it in a loop on the first CPU; a thread on
 * each other CPU computes. So each call waits for every vCPU of the guest that does not run.
 */

#include <errno.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "commands.h"

#define CPUS_MAX 64

static atomic_bool ends;

static long membarrier(int what)
{
	return syscall(SYS_membarrier, what, 0, 0);
}

static void *compute(void *cpu)
{
	pin((long)cpu);
	while (!atomic_load_explicit(&ends, memory_order_relaxed))
		;
	return NULL;
}

/* Threads that compute, on all CPUs but the first. Returns how many there are. */
static long begin(pthread_t threads[CPUS_MAX])
{
	long n_cpus = sysconf(_SC_NPROCESSORS_ONLN), n = 0;

	atomic_store(&ends, false);
	for (long cpu = 1; cpu < n_cpus && n < CPUS_MAX; cpu++)
		if (pthread_create(&threads[n], NULL, compute, (void *)cpu) == 0)
			n++;
	return n;
}

static void measure(long seconds, struct summary *summary)
{
	int64_t now = now_ns(), end = now + seconds * 1000000000LL, before;

	while (now < end) {
		before = now;
		if (membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED) < 0)
			return;
		now = now_ns();
		summary_count(summary, now - before);
	}
}

void do_membarrier(char **words, int n)
{
	static struct summary summary;
	pthread_t threads[CPUS_MAX];
	cpu_set_t all;
	long seconds, n_threads;

	if (n != 2 || !number(words[1], 1, 3600, &seconds)) {
		fail("membarrier SECONDS", EINVAL);
		return;
	}
	if (membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) < 0) {
		fail("membarrier", errno);
		return;
	}
	memset(&summary, 0, sizeof(summary));
	sched_getaffinity(0, sizeof(all), &all);
	n_threads = begin(threads);
	pin(0);
	answer("# start");
	measure(seconds, &summary);
	answer("# end");
	sched_setaffinity(0, sizeof(all), &all);
	atomic_store(&ends, true);
	for (long i = 0; i < n_threads; i++)
		pthread_join(threads[i], NULL);
	if (summary.cycles)
		summary.avg_us /= summary.cycles;
	summary_print(&summary);
	answer("}");
}
