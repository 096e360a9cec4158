// SPDX-License-Identifier: GPL-2.0-or-later
/* On which kernels ksoftirqd is watched. */
#include "daemon/softirq_threads.h"

#include "test.h"

/* The tracer is not asked here. */
void tracer_set_softirqd(struct tracer *tracer, unsigned int cpu, pid_t tid)
{
	(void)tracer;
	(void)cpu;
	(void)tid;
}

static void test_releases(void)
{
	static const struct {
		const char *release;
		bool expected;
	} table[] = {
	        {"5.14.0-427.el9.x86_64", true},
	        {"6.1.0-57-cloud-amd64", true},
	        {"6.4.16", true},
	        {"6.5.0", false},
	        {"6.12.118+deb13-amd64", false},
	        {"7.3.4", false},
	        {"10.0", false},
	        {"unknown", true},
	        {"", true},
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		printf("# %s\n", table[i].release);
		CHECK_INT(softirq_threads_matter(table[i].release), table[i].expected);
	}
}

TEST_MAIN(TEST(test_releases))
