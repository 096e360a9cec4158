// SPDX-License-Identifier: GPL-2.0-or-later
/* Threads that probe: one on each CPU that this process has, and none afterwards. */
#include "daemon/trial_probe.h"

#include "boost/sched.h"

#include "test.h"

static void test_probe(void)
{
	struct trial_probe_sums sums = {0}, before;
	struct trial_probe *probe = NULL;
	struct cpu_set_bits cpus;

	CHECK_INT(sched_get_cpus(0, &cpus), 0);
	CHECK_INT(trial_probe_new(&probe), 0);
	CHECK_INT(trial_probe_count(probe),
	          MIN(cpu_set_bits_count(&cpus), (unsigned int)TRIAL_PROBE_CPUS_MAX));
	while (sums.n < 5) {
		before = sums;
		sums = trial_probe_read(probe);
		CHECK_GE(sums.n, before.n);
		CHECK_GE(sums.late_ns, before.late_ns);
	}
	probe = trial_probe_free(probe);
	CHECK(!probe && !trial_probe_free(NULL));
	CHECK_INT(trial_probe_count(NULL), 0);
	CHECK_U64(trial_probe_read(NULL).n, 0);
}

TEST_MAIN(TEST(test_probe))
