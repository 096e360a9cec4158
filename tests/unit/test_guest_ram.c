// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Where guest-physical addresses may be in QEMU's memory. The mappings are as QEMU 7.2 makes them;
 * what it said of the addresses (gpa2hva) is what is expected.
 */
#include <stdio.h>
#include <string.h>

#include "guest/ram.h"
#include "test.h"

#define GIB UINT64_C(0x40000000)
#define MIB UINT64_C(0x100000)

static struct ram_map map;
static struct ram_facts facts;

static void read_maps(const char *text)
{
	struct maps_reader reader = MAPS_READER_NULL;

	map = RAM_MAP_NULL;
	CHECK_INT(maps_feed(&reader, text, strlen(text), ram_map_take, &map), 0);
	ram_map_end(&map);
}

/* Arguments are separated by blanks here. */
static void read_cmdline(const char *text)
{
	char cmdline[1024];
	size_t size = strlen(text) + 1;

	CHECK(size <= sizeof(cmdline));
	memcpy(cmdline, text, size);
	for (size_t i = 0; i < size; i++)
		if (cmdline[i] == ' ')
			cmdline[i] = '\0';
	CHECK_INT(ram_facts_of_cmdline(cmdline, size, &facts), 0);
}

/* How many places are named before the one at @address; -1: it is not named. */
static int rank(uint64_t guest_address, uint64_t address)
{
	struct ram_places places = {.n = 0};

	ram_places_add(&map, &facts, guest_address, &places);
	CHECK(places.n <= RAM_PLACES_MAX);
	for (size_t i = 0; i < places.n; i++)
		if (places.of[i] == address)
			return (int)i;
	return -1;
}

static size_t count(uint64_t guest_address)
{
	struct ram_places places = {.n = 0};

	ram_places_add(&map, &facts, guest_address, &places);
	return places.n;
}

/* Of the kinds that are no RAM: reserved, executable (of the emulator), a thread's stack. */
#define OTHERS                                                                                     \
	"7f5bd0021000-7f5bd4000000 ---p 00000000 00:00 0 \n"                                       \
	"7f5de0000000-7f5e1ffff000 rwxp 00000000 00:00 0 \n"                                       \
	"7f5e30000000-7f5e30800000 rw-p 00000000 00:00 0 \n"                                       \
	"7f5e40000000-7f5e48000000 rw-s 00000000 00:0d 12 anon_inode:[vfio-device]\n"

static void test_i440fx(void)
{
	read_cmdline("qemu -machine pc-i440fx-7.2,usb=off -m size=8388608k");
	CHECK(facts.machine == RAM_MACHINE_I440FX && facts.size == 8 * GIB);
	read_maps("7f5bd7e00000-7f5dd7e00000 rw-p 00000000 00:00 0 \n" OTHERS);
	CHECK_U64(map.n, 1);
	CHECK_INT(rank(0x1000000, 0x7f5bd8e00000), 0);
	CHECK_INT(rank(2 * GIB, 0x7f5c57e00000), 0);
	CHECK_INT(rank(3 * GIB - 4096, 0x7f5c97dff000), 0);
	CHECK_INT(rank(4 * GIB, 0x7f5c97e00000), 0);
	CHECK_INT(rank(5 * GIB, 0x7f5cd7e00000), 0);
	CHECK_INT(rank(9 * GIB - 4096, 0x7f5dd7dff000), 0);
	/* beyond its end: if it were a DIMM behind a gap; and where no page can begin */
	CHECK_U64(count(100 * GIB), 1);
	CHECK_U64(count(0x1000001), 0);
	CHECK_U64(count(UINT64_MAX - 4095), 0);
	CHECK_U64(count(UINT64_C(1) << 63), 0);
	/* old machine types cut at 3.5 GiB: that is named as well */
	CHECK(rank(4 * GIB, 0x7f5bd7e00000 + 7 * GIB / 2) > 0);
}

static void test_q35(void)
{
	read_cmdline("qemu -machine type=pc-q35-7.2,accel=kvm -m 8G,slots=4,maxmem=32G");
	CHECK(facts.machine == RAM_MACHINE_Q35 && facts.size == 8 * GIB);
	read_maps("7f9efbe00000-7fa0fbe00000 rw-p 00000000 00:00 0 \n"
	          "7fa103e00000-7fa143e00000 rw-p 00000000 00:00 0 \n" OTHERS);
	CHECK_U64(map.n, 2);
	CHECK_INT(rank(2 * GIB - 4096, 0x7f9f7bdff000), 0);
	CHECK_INT(rank(4 * GIB, 0x7f9f7be00000), 0);
	CHECK_INT(rank(9 * GIB, 0x7fa0bbe00000), 0);
	/* a DIMM, at the next GiB */
	CHECK(rank(10 * GIB, 0x7fa103e00000) >= 0);
	/* a small one has more below the hole */
	read_cmdline("qemu -M q35 -m 2816M");
	CHECK_INT(rank(4 * GIB, 0x7f9efbe00000 + 2 * GIB), 0);
	read_cmdline("qemu -M q35 -m 2500");
	CHECK_U64(facts.size, 2500 * MIB);
	CHECK_INT(rank(2 * GIB + 4096, 0x7f9efbe00000 + 2 * GIB + 4096), 0);
	/* told otherwise */
	read_cmdline("qemu -M q35,max-ram-below-4g=1G -m 8G");
	CHECK_INT(rank(4 * GIB, 0x7f9efbe00000 + GIB), 0);
	read_cmdline("qemu -M pc,max-ram-below-4g=1G -m 8G");
	CHECK_INT(rank(4 * GIB, 0x7f9efbe00000 + GIB), 0);
	/* another machine: each cut of any is named */
	read_cmdline("qemu -M microvm");
	CHECK(facts.machine == RAM_MACHINE_OTHER && facts.size == 0);
	CHECK(rank(4 * GIB, 0x7f9efbe00000 + 2 * GIB) >= 0);
	CHECK(rank(4 * GIB, 0x7f9efbe00000 + 3 * GIB) >= 0);
}

/* The second node is mapped below the first. */
static void test_numa(void)
{
	read_cmdline("qemu -machine q35 -m 3G -numa node,memdev=a -numa node,memdev=b");
	read_maps("7fdf6bdff000-7fdfebdff000 rw-s 00000000 00:01 2254                       "
	          "/memfd:memory-backend-memfd (deleted)\n"
	          "7fdfebe00000-7fe02be00000 rw-p 00000000 00:00 0 \n");
	CHECK(rank(0x64000, 0x7fdfebe64000) >= 0);
	CHECK(rank(GIB, 0x7fdf6bdff000) >= 0);
	CHECK(rank(2 * GIB - 4096, 0x7fdfabdfe000) >= 0);
	CHECK(rank(4 * GIB, 0x7fdfabdff000) >= 0);
	CHECK(rank(5 * GIB - 4096, 0x7fdfebdfe000) >= 0);
	CHECK_U64(ram_map_area(&map, 0x7fdf6bdff000)->inode, 2254);
	CHECK_U64(ram_map_area(&map, 0x7fdfebe00000)->inode, 0);
	CHECK(!ram_map_area(&map, 0x7fdf00000000));
}

/* Huge pages, of which one file may be mapped in pieces. */
static void test_hugetlb(void)
{
	read_cmdline("qemu -machine pc -m 4096 -mem-path /dev/hugepages");
	read_maps(
	        "7f0000000000-7f0040000000 rw-s 00000000 00:0e 77 /dev/hugepages/qemu (deleted)\n"
	        "7f0040000000-7f0100000000 rw-s 40000000 00:0e 77 /dev/hugepages/qemu (deleted)\n"
	        "7f0200000000-7f0240000000 rw-s 80000000 00:0e 77 /dev/hugepages/qemu (deleted)\n");
	CHECK_U64(map.n, 2);
	CHECK_INT(rank(4 * GIB, 0x7f0000000000 + 3 * GIB), 0);
}

static void test_equal_dimms(void)
{
	read_cmdline("qemu -machine pc -m size=1048576k,slots=8,maxmem=33554432k");
	read_maps("7f1000000000-7f1040000000 rw-p 00000000 00:00 0 \n"
	          "7f2000000000-7f2020000000 rw-p 00000000 00:00 0 \n"
	          "7f3000000000-7f3020000000 rw-p 00000000 00:00 0 \n"
	          "7f4000000000-7f4020000000 rw-p 00000000 00:00 0 \n");
	for (uint64_t i = 0; i < 3; i++) {
		/* whichever was plugged in first */
		CHECK(rank(4 * GIB + i * 512 * MIB + 0x5000, 0x7f2000005000) >= 0);
		CHECK(rank(4 * GIB + i * 512 * MIB + 0x5000, 0x7f3000005000) >= 0);
		CHECK(rank(4 * GIB + i * 512 * MIB + 0x5000, 0x7f4000005000) >= 0);
	}
	/* its neighbours were unplugged */
	CHECK(rank(4 * GIB + 7 * 512 * MIB, 0x7f2000000000) >= 0);
}

/* AMD, more than 1 TiB: QEMU puts what is above at 1 TiB. */
static void test_beyond_the_hole_of_amd(void)
{
	read_cmdline("qemu -machine q35 -m 2T");
	read_maps("400000000000-420000000000 rw-p 00000000 00:00 0 \n");
	CHECK(rank(1024 * GIB, 0x400000000000 + 2 * GIB) >= 0);
	CHECK_INT(rank(1024 * GIB, 0x400000000000 + 1022 * GIB), 0);
}

/* Each of 16 sizes: their sums are more than are looked at, and all stays bounded. */
static void test_limits(void)
{
	char text[64 * 1024] = "";
	size_t n = 0;

	read_cmdline("qemu -machine none -m 64G");
	for (uint64_t i = 0; i < 40; i++)
		n += (size_t)sprintf(text + n, "%lx-%lx rw-p 00000000 00:00 0 \n",
		                     (i + 1) * 0x1000000000,
		                     (i + 1) * 0x1000000000 + GIB + (1UL << i) % GIB * 4096);
	read_maps(text);
	CHECK_U64(map.n, RAM_AREAS_MAX);
	for (size_t i = 0; i < map.n; i++) {
		CHECK(map.before[i].n <= RAM_SUMS_MAX);
		CHECK(i == 0 || map.areas[i - 1].end - map.areas[i - 1].start >=
		                        map.areas[i].end - map.areas[i].start);
	}
	CHECK(count(GIB) <= RAM_PLACES_MAX);
	CHECK(count(40 * GIB) <= RAM_PLACES_MAX);
	/* small ones are no RAM; addresses of the kernel are none of QEMU's */
	read_maps("7f1000000000-7f1000fff000 rw-p 00000000 00:00 0 \n"
	          "ff1000000000-ffffff1040000000 rw-p 00000000 00:00 0 \n");
	CHECK_U64(map.n, 0);
	CHECK_U64(count(GIB), 0);
}

static void test_encrypted(void)
{
	read_cmdline("qemu -machine pc -m 1G");
	CHECK(facts.encryption == RAM_PLAIN);
	read_cmdline("qemu -machine q35,confidential-guest-support=lsec0 -object "
	             "{\"qom-type\":\"sev-guest\",\"id\":\"lsec0\"}");
	CHECK(facts.encryption == RAM_SEV);
	read_cmdline("qemu -machine q35,confidential-guest-support=lsec0 -object "
	             "sev-snp-guest,id=lsec0");
	CHECK(facts.encryption == RAM_SEV_SNP);
	read_cmdline("qemu -object tdx-guest,id=x");
	CHECK(facts.encryption == RAM_TDX);
	read_cmdline("qemu -machine q35,confidential-guest-support=x -object new-guest,id=x");
	CHECK(facts.encryption == RAM_CONFIDENTIAL);
	read_cmdline("qemu -machine pc,memory-encryption=sev0 -object rng-random,id=sev-guest");
	CHECK(facts.encryption == RAM_CONFIDENTIAL);
	CHECK_STR(ram_encryption_name(RAM_SEV_SNP), "SEV-SNP");
}

static void test_sizes(void)
{
	read_cmdline("qemu -m 512");
	CHECK_U64(facts.size, 512 * MIB);
	read_cmdline("qemu -m size=2097152k -m slots=3");
	CHECK_U64(facts.size, 2 * GIB);
	read_cmdline("qemu -m maxmem=4G,size=1G");
	CHECK_U64(facts.size, GIB);
	for (const char *const *text =
	             (const char *const[]){"qemu -m", "qemu -m x", "qemu -m 99999999999999999999",
	                                   "qemu -m 9999999999T", "qemu -m size=", "qemu -m 1.5G",
	                                   "qemu -m 00000000000000000000000000000000000000001",
	                                   NULL};
	     *text; text++) {
		read_cmdline(*text);
		CHECK_U64(facts.size, 0);
	}
}

TEST_MAIN(TEST(test_i440fx), TEST(test_q35), TEST(test_numa), TEST(test_hugetlb),
          TEST(test_equal_dimms), TEST(test_beyond_the_hole_of_amd), TEST(test_limits),
          TEST(test_encrypted), TEST(test_sizes))
