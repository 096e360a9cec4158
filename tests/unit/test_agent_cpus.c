// SPDX-License-Identifier: GPL-2.0-or-later
/* Which CPUs a guest has, and their APIC ids, as files of the kernel tell. */
#include "agent/cpus.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "test.h"

static char dir[] = "/tmp/test_agent_cpus.XXXXXX";
static char possible[64], online[64], cpuinfo[64];
static const struct cpu_places places = {possible, online, cpuinfo};

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");

	CHECK(f);
	CHECK(fputs(text, f) >= 0);
	CHECK_INT(fclose(f), 0);
}

static void files(const char *possible_text, const char *online_text, const char *cpuinfo_text)
{
	write_file(possible, possible_text);
	write_file(online, online_text);
	write_file(cpuinfo, cpuinfo_text);
}

static void test_ids(void)
{
	struct guest_cpu cpus[4] = {{.address = 7}};

	files("0-3\n", "0,2-3\n",
	      "processor\t: 0\napicid\t\t: 0\n\nprocessor\t: 2\napicid\t\t: 4\n\n"
	      "processor\t: 3\napicid\t\t: 6\n");
	CHECK_INT(cpus_possible(&places), 4);
	CHECK_INT(cpus_read(&places, cpus, 4), 0);
	CHECK(cpus[0].online && !cpus[1].online && cpus[2].online && cpus[3].online);
	CHECK_INT(cpus[2].apic_id, 4);
	CHECK_INT(cpus[1].apic_id, PVSCHED_APIC_ID_NONE);
	CHECK_U64(cpus[0].address, 7);
}

/* Between the two looks a CPU may go: what has no id, where others have, is not there. */
static void test_race(void)
{
	struct guest_cpu cpus[2];

	files("0-1\n", "0-1\n", "processor\t: 0\napicid\t\t: 0\n");
	CHECK_INT(cpus_read(&places, cpus, 2), 0);
	CHECK(cpus[0].online && !cpus[1].online);
}

static void test_no_ids(void)
{
	struct guest_cpu cpus[2];

	files("0-1\n", "0-1\n", "processor\t: 0\n\nprocessor\t: 1\n");
	CHECK_INT(cpus_read(&places, cpus, 2), 0);
	CHECK(cpus[0].online && cpus[1].online);
	CHECK_INT(cpus[1].apic_id, PVSCHED_APIC_ID_NONE);
}

static void test_limits(void)
{
	files("0-4095\n", "0\n", "");
	CHECK_INT(cpus_possible(&places), PVSCHED_CHANNEL_CPUS_MAX);
	files("\n", "0\n", "");
	CHECK_INT(cpus_possible(&places), -ENODEV);
	files("x\n", "x\n", "");
	CHECK_INT(cpus_possible(&places), -EINVAL);
	CHECK_INT(unlink(possible), 0);
	CHECK_INT(cpus_possible(&places), -ENOENT);
}

static void test_addresses(void)
{
	struct guest_cpu cpus[1] = {0};

	/* no memory there */
	CHECK_INT(cpus_addresses(NULL, cpus, 1), -EIO);
}

static void test_setup(void)
{
	CHECK(mkdtemp(dir));
	snprintf(possible, sizeof(possible), "%s/possible", dir);
	snprintf(online, sizeof(online), "%s/online", dir);
	snprintf(cpuinfo, sizeof(cpuinfo), "%s/cpuinfo", dir);
}

static void test_end(void)
{
	unlink(possible);
	CHECK_INT(unlink(online), 0);
	CHECK_INT(unlink(cpuinfo), 0);
	CHECK_INT(rmdir(dir), 0);
}

TEST_MAIN(TEST(test_setup), TEST(test_ids), TEST(test_race), TEST(test_no_ids), TEST(test_limits),
          TEST(test_addresses), TEST(test_end))
