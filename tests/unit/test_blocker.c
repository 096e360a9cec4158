// SPDX-License-Identifier: GPL-2.0-or-later
/* Blockers: kinds of waits, runs within a wait, and what a full table keeps. */
#include "core/blocker.h"

#include "test.h"

static struct pvs_runner runner(uint64_t group, const char *name, uint32_t tid)
{
	struct pvs_runner runner = {.group = group, .tid = tid};

	strncpy((char *)runner.name, name, sizeof(runner.name));
	return runner;
}

static void test_kinds(void)
{
	CHECK_INT(pvs_wait_kind(0), 0);
	CHECK_INT(pvs_wait_kind((1 << 15) - 1), 0);
	for (uint32_t kind = 1; kind < PVS_WAIT_KINDS - 1; kind++) {
		CHECK_INT(pvs_wait_kind(UINT64_C(1) << (14 + kind)), kind);
		CHECK_INT(pvs_wait_kind((UINT64_C(1) << (15 + kind)) - 1), kind);
	}
	CHECK_INT(pvs_wait_kind(UINT64_C(1) << 25), PVS_WAIT_KINDS - 1);
	CHECK_INT(pvs_wait_kind(UINT64_MAX), PVS_WAIT_KINDS - 1);
}

static void test_within(void)
{
	struct pvs_cpu_run run = {.from_ns = 100, .until_ns = 200};

	CHECK_INT(pvs_run_within(&run, 0, 1000), 100);
	CHECK_INT(pvs_run_within(&run, 150, 1000), 50);
	CHECK_INT(pvs_run_within(&run, 0, 150), 50);
	CHECK_INT(pvs_run_within(&run, 120, 150), 30);
	CHECK_INT(pvs_run_within(&run, 200, 1000), 0);
	CHECK_INT(pvs_run_within(&run, 0, 100), 0);
	run.until_ns = 0; /* still running */
	CHECK_INT(pvs_run_within(&run, 150, 1000), 850);
}

static const struct pvs_blocker *find(const struct pvs_wait_trace *trace,
                                      const struct pvs_runner *of)
{
	for (size_t i = 0; i < PVS_BLOCKERS; i++)
		if (trace->blockers[i].ns && pvs_runner_equal(&trace->blockers[i].runner, of))
			return &trace->blockers[i];
	return NULL;
}

/* Threads of one name and cgroup are one blocker; its TID is that of the last. */
static void test_identity(void)
{
	static struct pvs_wait_trace trace;
	struct pvs_runner first = runner(7, "cc1", 100), second = runner(7, "cc1", 101);
	struct pvs_runner elsewhere = runner(8, "cc1", 102), idle = {0};

	pvs_blockers_add(trace.blockers, &first, 10);
	pvs_blockers_add(trace.blockers, &second, 5);
	pvs_blockers_add(trace.blockers, &elsewhere, 3);
	pvs_blockers_add(trace.blockers, &idle, 1);
	CHECK_INT(find(&trace, &first)->ns, 15);
	CHECK_INT(find(&trace, &first)->runs, 2);
	CHECK_INT(find(&trace, &first)->runner.tid, 101);
	CHECK_INT(find(&trace, &elsewhere)->ns, 3);
	CHECK_INT(find(&trace, &idle)->ns, 1);
}

/* However many names there are, what takes most stays, and no time is invented. */
static void test_many_names(void)
{
	static struct pvs_wait_trace trace;
	struct pvs_runner heavy = runner(1, "heavy", 1), light;
	uint64_t added = 0, kept = 0;
	char name[16];

	for (int i = 0; i < 10000; i++) {
		snprintf(name, sizeof(name), "%d", i);
		light = runner(1, name, 2);
		pvs_blockers_add(trace.blockers, &light, 10);
		pvs_blockers_add(trace.blockers, &heavy, 100);
		added += 110;
	}
	CHECK(find(&trace, &heavy));
	CHECK(find(&trace, &heavy)->ns > 900000);
	for (size_t i = 0; i < PVS_BLOCKERS; i++)
		kept += trace.blockers[i].ns;
	CHECK(kept <= added);
}

static void test_behind(void)
{
	static struct pvs_wait_trace trace;
	const struct pvs_long_wait *last = &trace.longest[pvs_wait_kind(5000000)];
	uint64_t most = 0;

	for (uint32_t i = 1; i <= 6; i++) {
		struct pvs_runner one = runner(1, "one", i);

		pvs_behind_add(&trace.present, &one, i * 100000);
		pvs_behind_add(&trace.present, &one, i * 100000);
	}
	pvs_wait_end(&trace, 77, 5000000, 3);
	CHECK_INT(trace.waits, 1);
	CHECK_INT(trace.wait_ns, 5000000);
	CHECK_INT(last->until_ns, 77);
	CHECK_INT(last->wait_ns, 5000000);
	CHECK_INT(last->cpu, 3);
	for (size_t i = 0; i < PVS_WAIT_BEHIND; i++) {
		CHECK(last->behind[i].ns >= 300000);
		most = last->behind[i].ns > most ? last->behind[i].ns : most;
	}
	CHECK_INT(most, 1200000);
	/* the next wait begins with nothing, and a short one displaces no long one */
	pvs_wait_end(&trace, 88, 1000, 0);
	CHECK_INT(trace.longest[0].behind[0].ns, 0);
	CHECK_INT(last->until_ns, 77);
	/* a shorter one of its kind does not displace it at once, an equal one does */
	pvs_wait_end(&trace, 99, 4900000, 1);
	CHECK_INT(last->until_ns, 77);
	pvs_wait_end(&trace, 100, 5000000, 1);
	CHECK_INT(last->until_ns, 100);
	pvs_wait_end(&trace, 101 + PVS_LONGEST_NS, 4900000, 1);
	CHECK_INT(last->wait_ns, 4900000);
}

TEST_MAIN({"kinds", test_kinds}, {"within", test_within}, {"identity", test_identity},
          {"many_names", test_many_names}, {"behind", test_behind})
