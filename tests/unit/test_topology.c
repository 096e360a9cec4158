/* SPDX-License-Identifier: GPL-2.0-or-later */

/* APIC ids against those that QEMU 7.2 gave its CPUs (qom-get apic-id) for the same -smp. */

#include "model/topology.h"
#include "test.h"

#define IDS_MAX 32

static struct topology topology_of(const char *smp)
{
	char cmdline[512];
	int n = snprintf(cmdline, sizeof(cmdline), "qemu%c-name%cguest=-smp%c-smp%c%s%c-S", 0, 0, 0,
	                 0, smp, 0);

	return topology_of_cmdline(cmdline, (size_t)n + 1);
}

static void test_qemu(void)
{
	static const struct {
		const char *smp;
		int n;
		uint32_t ids[IDS_MAX];
	} cases[] = {
	        {"12,sockets=2,cores=3,threads=2", 12, {0, 1, 2, 3, 4, 5, 8, 9, 10, 11, 12, 13}},
	        {"12,maxcpus=12,sockets=2,dies=1,cores=3,threads=2",
	         12,
	         {0, 1, 2, 3, 4, 5, 8, 9, 10, 11, 12, 13}},
	        {"8,sockets=2,dies=2,cores=1,threads=2", 8, {0, 1, 2, 3, 4, 5, 6, 7}},
	        {"6,cores=3", 6, {0, 1, 2, 4, 5, 6}},
	        {"4", 4, {0, 1, 2, 3}},
	        {"6,threads=3", 6, {0, 1, 2, 4, 5, 6}},
	        {"cpus=6,sockets=6", 6, {0, 1, 2, 3, 4, 5}},
	        {"12,sockets=1,dies=3,cores=2,threads=2",
	         12,
	         {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}},
	        {"24,dies=2,cores=3,threads=2", 24, {0,  1,  2,  3,  4,  5,  8,  9,
	                                             10, 11, 12, 13, 16, 17, 18, 19,
	                                             20, 21, 24, 25, 26, 27, 28, 29}},
	        {"maxcpus=6,threads=2", 6, {0, 1, 2, 3, 4, 5}},
	        {"sockets=2,cores=3", 6, {0, 1, 2, 4, 5, 6}},
	        {"0x8,cores=010", 8, {0, 1, 2, 3, 4, 5, 6, 7}},
	        {"20,sockets=2,cores=5,threads=2", 20, {0,  1,  2,  3,  4,  5,  6,  7,  8,  9,
	                                                16, 17, 18, 19, 20, 21, 22, 23, 24, 25}},
	        {"4,sockets=0", 4, {0, 1, 2, 3}},
	        {"4,cores=2,cores=4", 4, {0, 1, 2, 3}},
	        {"4,cpus=8", 8, {0, 1, 2, 3, 4, 5, 6, 7}},
	        {"5,sockets=1,cores=4,threads=2,maxcpus=8", 5, {0, 1, 2, 3, 4}},
	        {"", 1, {0}},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct topology topology = topology_of(cases[i].smp);

		for (int vcpu = 0; vcpu < cases[i].n; vcpu++)
			CHECK_U64(topology_apic_id(&topology, (uint32_t)vcpu), cases[i].ids[vcpu]);
	}
}

static void check_levels(struct topology topology, uint32_t dies, uint32_t cores, uint32_t threads)
{
	CHECK_U64(topology.dies, dies);
	CHECK_U64(topology.cores, cores);
	CHECK_U64(topology.threads, threads);
}

static void test_levels(void)
{
	check_levels(topology_of("12,sockets=2,cores=3,threads=2"), 1, 3, 2);
	check_levels(topology_of("24,dies=2,cores=3,threads=2"), 2, 3, 2);
	check_levels(topology_of("7"), 1, 7, 1);
	/* Modules: bits between dies and cores. */
	check_levels(topology_of("24,sockets=1,dies=2,modules=3,cores=2,threads=2"), 2, 6, 2);
}

/** What QEMU refuses, or what we don't understand. */
static void test_flat(void)
{
	static const char *const smps[] = {"4,cores=2,,threads=2",
	                                   "4,cores=2,threads",
	                                   "4,clusters=2",
	                                   "4,sockets=3",
	                                   "threads=2,4",
	                                   "4,,cores=2",
	                                   "4,cores=x",
	                                   "4,cores=-2",
	                                   "4,cores=2x",
	                                   "4,nonsense=1",
	                                   "4,=2",
	                                   "99999,cores=3",
	                                   "4,cores=4294967298",
	                                   "4096,cores=4096,threads=4096,dies=4096",
	                                   "4,cores=",
	                                   "5,sockets=1,cores=4,threads=2",
	                                   "9,sockets=1,cores=4,threads=2",
	                                   "4,maxcpus=2",
	                                   "12,modules=2,cores=3,threads=2",
	                                   "2,cores=4",
	                                   "help",
	                                   "99999999999999999999"};

	for (size_t i = 0; i < ARRAY_SIZE(smps); i++)
		check_levels(topology_of(smps[i]), 1, 1, 1);
}

static void test_command_lines(void)
{
	static const char none[] = "qemu\0-m\0"
	                           "6,cores=3";
	static const char merged[] = "qemu\0-smp\0"
	                             "6,cores=6\0--smp\0cores=3";
	static const char cut[] = "qemu\0-smp\0"
	                          "6,cores=3";

	check_levels(topology_of_cmdline(none, sizeof(none)), 1, 1, 1);
	check_levels(topology_of_cmdline(merged, sizeof(merged)), 1, 3, 1);
	check_levels(topology_of_cmdline(cut, sizeof(cut)), 1, 3, 1);
	check_levels(topology_of_cmdline(cut, sizeof(cut) - 1), 1, 1, 1);
	check_levels(topology_of_cmdline(cut, sizeof("qemu\0-smp")), 1, 1, 1);
	check_levels(topology_of_cmdline("", 0), 1, 1, 1);
}

#define LINE(text) "qemu\0" text, sizeof("qemu\0" text)

/* The options of which QEMU makes one, in their order; the apic-ids of QEMU 7.2. */
static void test_merged(void)
{
	check_levels(topology_of_cmdline(LINE("-smp\0"
	                                      "6,cores=3\0-smp\0threads=2")),
	             1, 3, 2);
	check_levels(topology_of_cmdline(LINE("-smp\0"
	                                      "1,maxcpus=2\0-smp\0cpus=1")),
	             1, 2, 1);
	check_levels(
	        topology_of_cmdline(LINE("-machine\0q35,smp.cpus=6,smp.cores=3,smp.threads=2")), 1,
	        3, 2);
	check_levels(topology_of_cmdline(LINE("-M\0q35,smp.threads=2\0-smp\0"
	                                      "12,cores=3")),
	             1, 3, 2);
	check_levels(topology_of_cmdline(LINE("-smp\0"
	                                      "6,cores=3\0-readconfig\0x")),
	             1, 1, 1);
	check_levels(topology_of_cmdline(LINE("-smp\0"
	                                      "6,cores=3\0-M\0q35,smp.nonsense=2")),
	             1, 1, 1);
}

/* Machine types up to 6.1 fill sockets first; of a distribution's the version is not known. */
static void test_machine_types(void)
{
	check_levels(topology_of_cmdline(LINE("-M\0pc-q35-6.1\0-smp\0"
	                                      "12,dies=3")),
	             3, 1, 1);
	check_levels(topology_of_cmdline(LINE("-M\0pc-q35-6.2\0-smp\0"
	                                      "12,dies=3")),
	             3, 4, 1);
	check_levels(topology_of_cmdline(LINE("-M\0pc-i440fx-2.11\0-smp\0"
	                                      "12,threads=3")),
	             1, 1, 3);
	check_levels(topology_of_cmdline(LINE("-M\0pc-i440fx-10.0\0-smp\0"
	                                      "12,threads=3")),
	             1, 4, 3);
	check_levels(topology_of_cmdline(LINE("-smp\0"
	                                      "12,threads=3\0-M\0"
	                                      "accel=tcg,type=q35")),
	             1, 4, 3);
	check_levels(topology_of_cmdline(LINE("-M\0pc-q35-rhel8.6.0\0-smp\0"
	                                      "12,threads=3")),
	             1, 1, 1);
	/* both ways lead to the same */
	check_levels(topology_of_cmdline(LINE("-M\0pc-q35-jammy\0-smp\0"
	                                      "12,sockets=2,cores=3,threads=2")),
	             1, 3, 2);
}

static void test_max_vcpus(void)
{
	CHECK_U64(topology_max_vcpus(LINE("-smp\0"
	                                  "1,maxcpus=8\0-smp\0cpus=1"),
	                             512),
	          8);
	CHECK_U64(topology_max_vcpus(LINE("-smp\0"
	                                  "0x3"),
	                             512),
	          3);
	CHECK_U64(topology_max_vcpus(LINE("-smp\0"
	                                  "9000"),
	                             512),
	          512);
	CHECK_U64(topology_max_vcpus(LINE("-smp\0"
	                                  "sockets=4000,cores=4000,threads=4000"),
	                             512),
	          512);
	CHECK_U64(topology_max_vcpus(LINE("-m\0"
	                                  "9000"),
	                             512),
	          1);
	CHECK_U64(topology_max_vcpus(LINE("-readconfig\0x"), 512), 512);
}

static void test_flat_ids(void)
{
	struct topology flat = TOPOLOGY_FLAT;

	for (uint32_t vcpu = 0; vcpu < 4096; vcpu++)
		CHECK_U64(topology_apic_id(&flat, vcpu), vcpu);
}

TEST_MAIN({"qemu", test_qemu}, {"levels", test_levels}, {"flat", test_flat},
          {"command-lines", test_command_lines}, {"merged", test_merged},
          {"machine-types", test_machine_types}, {"max-vcpus", test_max_vcpus},
          {"flat-ids", test_flat_ids})
