// SPDX-License-Identifier: GPL-2.0-or-later
/* The canary's thread: it runs where it is asked to, and says so. */
#include "boost/canary.h"

#include <errno.h>
#include <sched.h>

#include "util/clock.h"

#include "test.h"

#define PATIENCE_NS (20 * NSEC_PER_SEC)

/* A CPU that we may run on. */
static unsigned int some_cpu(void)
{
	cpu_set_t cpus;
	unsigned int cpu = 0;

	CHECK_INT(sched_getaffinity(0, sizeof(cpus), &cpus), 0);
	while (!CPU_ISSET(cpu, &cpus))
		cpu++;
	return cpu;
}

static struct canary_totals totals_of(const struct canary *canary)
{
	struct canary_totals totals;

	canary_read(canary, &totals);
	return totals;
}

static void test_answers(void)
{
	struct canary *canary = NULL;
	uint64_t end_ns = clock_now_ns() + PATIENCE_NS;

	CHECK_INT(canary_start(&canary), 0);
	CHECK(totals_of(canary).running);
	/* nothing is elevated: whatever happens here, it does not starve by that */
	while (totals_of(canary).answered < 3 && clock_now_ns() < end_ns) {
		CHECK(!canary_check(canary, some_cpu(), 0, clock_now_ns()));
		sched_yield();
	}
	CHECK(totals_of(canary).answered >= 3);
	CHECK(totals_of(canary).asked >= 3);
	CHECK_U64(totals_of(canary).starved, 0);
	CHECK(!canary_stop(canary));
}

static void test_cpu_that_is_not_there(void)
{
	struct canary *canary = NULL;
	uint64_t end_ns = clock_now_ns() + PATIENCE_NS;

	CHECK_INT(canary_start(&canary), 0);
	while (totals_of(canary).unmovable_error != -EINVAL && clock_now_ns() < end_ns)
		CHECK(!canary_check(canary, 4095, 0, clock_now_ns()));
	CHECK_INT(totals_of(canary).unmovable_error, -EINVAL);
	CHECK_U64(totals_of(canary).asked, 0);
	/* the next CPU is asked all the same */
	canary_check(canary, some_cpu(), 0, clock_now_ns());
	CHECK_U64(totals_of(canary).asked, 1);
	canary_stop(canary);
}

static void test_without_one(void)
{
	CHECK(!canary_check(NULL, 0, NSEC_PER_SEC, NSEC_PER_SEC));
	CHECK(!totals_of(NULL).running);
	CHECK(!canary_stop(NULL));
}

TEST_MAIN({"answers", test_answers}, {"cpu_that_is_not_there", test_cpu_that_is_not_there},
          {"without_one", test_without_one})
