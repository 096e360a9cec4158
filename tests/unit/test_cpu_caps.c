// SPDX-License-Identifier: GPL-2.0-or-later
/* What a CPU's sheet holds, by what the kernel does against runaway real-time threads. */
#include "daemon/cpu_caps.h"

#include <sys/stat.h>

#include "test.h"

static uint32_t permille(long long runtime_us, long long period_us)
{
	struct kernel_net net = {.known = true, .runtime_us = runtime_us, .period_us = period_us};

	return cpu_caps_sheet_permille(&net);
}

static void test_kernels(void)
{
	struct kernel_net fair = {.fair_server = true}, unknown = {.period_us = 1000000};

	CHECK_INT(cpu_caps_sheet_permille(&fair), 900);
	CHECK_INT(cpu_caps_sheet_permille(&unknown), 700);
	CHECK_INT(permille(950000, 1000000), 700);
	CHECK_INT(permille(980000, 1000000), 700);
	/* never throttled: nothing else keeps time for ordinary threads */
	CHECK_INT(permille(-1, 1000000), 700);
	CHECK_INT(permille(1000000, 1000000), 700);
	/* throttled earlier: it must stay as far below */
	CHECK_INT(permille(475000, 1000000), 350);
	CHECK_INT(permille(95000, 200000), 350);
	CHECK_INT(permille(0, 1000000), 0);
}

static void test_margin(void)
{
	struct host_caps caps = HOST_CAPS_INIT;

	CHECK_U64(cpu_caps_sheet_ns(900, &caps), 870 * NSEC_PER_MSEC);
	CHECK_U64(cpu_caps_sheet_ns(700, &caps), 670 * NSEC_PER_MSEC);
	caps.booster_permille = 200;
	CHECK_U64(cpu_caps_sheet_ns(700, &caps), 490 * NSEC_PER_MSEC);
	/* less than the margin: nothing */
	CHECK_U64(cpu_caps_sheet_ns(200, &caps), 0);
	CHECK_U64(cpu_caps_sheet_ns(0, &caps), 0);
}

static void test_apply(void)
{
	static struct pvs_cpu_account cpus[PVS_CPUS_MAX];
	struct host_caps caps = HOST_CAPS_INIT;
	struct pvs_bucket_rule rule = {0};
	struct accounts accounts = {.cpus = cpus, .cpu_rule = &rule};

	caps.cpu_share_permille = 950;
	cpu_caps_apply(&accounts, 700, &caps);
	CHECK_INT(rule.share_permille, 950);
	CHECK_U64(rule.burst_ns, caps.cpu_burst_ns);
	for (unsigned int i = 0; i < PVS_CPUS_MAX; i++)
		CHECK_U64(cpus[i].sheet.limit_ns, 670 * NSEC_PER_MSEC);
}

static void write_file(const char *root, const char *name, const char *text)
{
	char path[256], command[512];
	FILE *file;

	snprintf(path, sizeof(path), "%s%s", root, name);
	snprintf(command, sizeof(command), "mkdir -p $(dirname %s)", path);
	CHECK_INT(system(command), 0);
	file = fopen(path, "w");
	CHECK(file && fputs(text, file) >= 0 && fclose(file) == 0);
}

static void test_look(void)
{
	char root[] = "/tmp/pvsched-root-XXXXXX", command[64];
	struct kernel_net net;

	CHECK(mkdtemp(root));
	kernel_net_look(root, &net);
	CHECK(!net.fair_server && !net.known && net.period_us == 1000000);
	write_file(root, "/proc/sys/kernel/sched_rt_runtime_us", "475000\n");
	write_file(root, "/proc/sys/kernel/sched_rt_period_us", "0\n"); /* nonsense: the default */
	kernel_net_look(root, &net);
	CHECK(!net.fair_server && net.known);
	CHECK_INT(cpu_caps_sheet_permille(&net), 350);
	write_file(root, "/sys/kernel/debug/sched/fair_server/cpu0/runtime", "0\n");
	kernel_net_look(root, &net);
	CHECK(net.fair_server);
	snprintf(command, sizeof(command), "rm -r %s", root);
	CHECK_INT(system(command), 0);
}

TEST_MAIN(TEST(test_kernels), TEST(test_margin), TEST(test_apply), TEST(test_look))
