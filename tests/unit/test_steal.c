// SPDX-License-Identifier: GPL-2.0-or-later
/* Which CPUs to avoid by steal time: the lines of /proc/stat, and what the governor makes of them.
 */
#include "agent/steal.h"

#include <errno.h>

#include "test.h"

#define HZ 100

static struct steal steal;
static struct steal_sample now;
static uint64_t now_ns;
static struct cpu_set_bits online, avoid;

static void test_parse(void)
{
	static struct steal_sample sample;

	CHECK_INT(steal_parse("cpu  9 9 9 9 9 9 9 9 9 9\n"
	                      "cpu0 1 2 3 100 200 4 5 60 1 1\n"
	                      "cpu3 10 0 0 0 0 0 0 7\n"
	                      "cpu600 1 1 1 1 1 1 1 1\nintr 5\nctxt cpu9\n",
	                      HZ, &sample),
	          0);
	CHECK_INT(sample.ran[0], 15);
	CHECK_INT(sample.stolen[0], 60);
	CHECK_INT(sample.ran[1], 0);
	CHECK_INT(sample.ran[3], 10);
	CHECK_INT(sample.stolen[3], 7);
	CHECK_INT(steal_parse("", HZ, &sample), -EBADMSG);
	CHECK_INT(steal_parse("cpu  1 2 3 4\n", HZ, &sample), -EBADMSG);
	CHECK_INT(steal_parse("cpu0 1 2 3 4\n", HZ, &sample), -EBADMSG);
	CHECK_INT(steal_parse("cpux 1 2 3 4 5 6 7 8\n", HZ, &sample), -EBADMSG);
	CHECK_INT(steal_parse("cpu0 1 2 3 4 5 6 7 -8\n", HZ, &sample), -EBADMSG);
}

static void begin(unsigned int cpus)
{
	steal_init(&steal);
	now = (struct steal_sample){.ticks_per_s = HZ};
	now_ns = NSEC_PER_SEC;
	online = avoid = CPU_SET_BITS_NULL;
	for (unsigned int cpu = 0; cpu < cpus; cpu++)
		cpu_set_bits_add(&online, cpu);
	CHECK(!steal_look(&steal, &now, &online, now_ns, &avoid));
}

/*
 * A second in which @threads of the machine would run all the time, and the host has @given
 * permille of a CPU for it: they are on the CPUs that are not avoided, and wait there for what is
 * lacking.
 */
static bool second(unsigned int threads, unsigned int given)
{
	unsigned int used = MIN(threads, cpu_set_bits_count(&online) - cpu_set_bits_count(&avoid));
	unsigned int each = used ? MIN(given / used, 1000U) : 0, n = 0;

	CPU_SET_BITS_FOREACH(cpu, &online)
	{
		if (n == used || cpu_set_bits_has(&avoid, cpu))
			continue;
		now.ran[cpu] += each * HZ / 1000;
		now.stolen[cpu] += (1000 - each) * HZ / 1000;
		n++;
	}
	now_ns += NSEC_PER_SEC;
	return steal_look(&steal, &now, &online, now_ns, &avoid);
}

static void test_shrinks_to_what_it_gets(void)
{
	begin(4);
	for (int i = 0; i < 20; i++)
		CHECK(second(4, 2000));
	CHECK_INT(cpu_set_bits_count(&avoid), 2);
	CHECK(!cpu_set_bits_has(&avoid, 0));
	CHECK_INT(steal.contention_permille, 0); /* nothing waits any more */
	begin(4);                                /* one that gets next to nothing keeps its first */
	for (int i = 0; i < 20; i++)
		second(4, 300);
	CHECK_INT(cpu_set_bits_count(&avoid), 3);
	CHECK(!cpu_set_bits_has(&avoid, 0));
}

static void test_nothing_is_stolen(void)
{
	begin(4);
	for (int i = 0; i < 20; i++)
		CHECK(!second(4, 4000)); /* and no further look is due */
	CHECK(cpu_set_bits_empty(&avoid));
	for (int i = 0; i < 20; i++)
		CHECK(!second(0, 4000));
	CHECK(cpu_set_bits_empty(&avoid));
}

static void test_grows_again(void)
{
	int seconds = 0;

	begin(4);
	for (int i = 0; i < 20; i++)
		second(4, 2000);
	while (second(4, 4000) && seconds < 120)
		seconds++;
	CHECK(cpu_set_bits_empty(&avoid));
	CHECK(seconds < 60);
}

/* A neighbour that stays: each try to grow is in vain, and the next one waits longer. */
static void test_does_not_flap(void)
{
	uint32_t reversals;

	begin(4);
	for (int i = 0; i < 600; i++)
		second(4, 2000);
	reversals = steal.course.reversals_total;
	CHECK(reversals <= 20); /* two in a minute */
	for (int i = 0; i < 600; i++)
		second(4, 2000);
	CHECK(steal.course.reversals_total - reversals <= 10);
}

static void test_hotplug(void)
{
	begin(4);
	for (int i = 0; i < 20; i++)
		second(4, 2000);
	CHECK(!cpu_set_bits_empty(&avoid));
	online = CPU_SET_BITS_NULL;
	cpu_set_bits_add(&online, 0);
	cpu_set_bits_add(&online, 1);
	second(2, 2000);
	CHECK(cpu_set_bits_empty(&avoid));
	CHECK_INT(steal.course.reversals_total, 0);
	online = CPU_SET_BITS_NULL;
	cpu_set_bits_add(&online, 0);
	for (int i = 0; i < 20; i++)
		second(1, 300); /* the only one */
	CHECK(cpu_set_bits_empty(&avoid));
}

static void test_clock(void)
{
	begin(2);
	CHECK(!steal_look(&steal, &now, &online, now_ns, &avoid)); /* no time has passed */
	now.stolen[1] += 1000000000;
	now_ns += NSEC_PER_SEC;
	steal_look(&steal, &now, &online, now_ns, &avoid); /* more than can be */
	CHECK(steal.contention_permille <= 1000);
	now.stolen[1] = 0; /* and backwards */
	now_ns += NSEC_PER_SEC;
	steal_look(&steal, &now, &online, now_ns, &avoid);
	CHECK_INT(steal.contention_permille, 0);
}

TEST_MAIN(TEST(test_parse), TEST(test_shrinks_to_what_it_gets), TEST(test_nothing_is_stolen),
          TEST(test_grows_again), TEST(test_does_not_flap), TEST(test_hotplug), TEST(test_clock))
