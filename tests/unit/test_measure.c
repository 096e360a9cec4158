// SPDX-License-Identifier: GPL-2.0-or-later
/* What a machine takes is measured: in bounded time, whatever runs there, and nothing is left. */
#include "boost/measure.h"

#include <dirent.h>
#include <pthread.h>
#include <sched.h>

#include "util/clock.h"

#include "test.h"

#define TRIES_MAX 200

static unsigned int count_entries(const char *path)
{
	DIR *dir = opendir(path);
	unsigned int n = 0;

	CHECK(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static void wait_for_entries(const char *path, unsigned int n)
{
	while (count_entries(path) != n)
		sched_yield();
}

static void check_figures(const struct pvs_costs *costs)
{
	printf("# wake-up %u ns, call %u, timer %u\n", costs->wake_ns, costs->call_ns,
	       costs->timer_ns);
	/* none of them is free, and none takes longer than all of the measurement */
	CHECK(costs->wake_ns < MEASURE_MAX_NS && costs->call_ns < MEASURE_MAX_NS &&
	      costs->timer_ns < MEASURE_MAX_NS);
}

static void test_measures(void)
{
	unsigned int threads = count_entries("/proc/self/task"),
	             fds = count_entries("/proc/self/fd");
	cpu_set_t before, after;
	struct pvs_costs costs;
	bool all = false;

	CHECK_INT(sched_getaffinity(0, sizeof(before), &before), 0);
	/* other programs may keep it off its CPU for all that time, and not for ever */
	for (unsigned int i = 0; i < TRIES_MAX && !all; i++) {
		measure_costs(&costs);
		check_figures(&costs);
		all = costs.wake_ns && costs.call_ns && costs.timer_ns;
	}
	CHECK(all);
	wait_for_entries("/proc/self/task", threads);
	wait_for_entries("/proc/self/fd", fds);
	CHECK_INT(sched_getaffinity(0, sizeof(after), &after), 0);
	CHECK(CPU_EQUAL(&before, &after));
	CHECK_INT(sched_getscheduler(0), SCHED_OTHER);
}

static bool spins;

static void *spin(void *userdata)
{
	while (__atomic_load_n(&spins, __ATOMIC_RELAXED))
		;
	return userdata;
}

/* With three spinners on each CPU it measures less, or nothing, and takes no longer. */
static void test_busy(void)
{
	pthread_t threads[6];
	struct pvs_costs costs;
	uint64_t began_ns;

	__atomic_store_n(&spins, true, __ATOMIC_RELAXED);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		CHECK_INT(pthread_create(&threads[i], NULL, spin, NULL), 0);
	began_ns = clock_now_ns();
	measure_costs(&costs);
	printf("# took %" PRIu64 " us\n", (clock_now_ns() - began_ns) / NSEC_PER_USEC);
	/* its own bound, and a second until it runs again among so many */
	CHECK(clock_now_ns() - began_ns < MEASURE_MAX_NS + NSEC_PER_SEC);
	__atomic_store_n(&spins, false, __ATOMIC_RELAXED);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		CHECK_INT(pthread_join(threads[i], NULL), 0);
	check_figures(&costs);
}

TEST_MAIN(TEST(test_measures), TEST(test_busy))
